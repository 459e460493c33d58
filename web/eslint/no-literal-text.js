/** @typedef {any} Node - a node of Svelte's parser, which ESLint's own types do not know */

/** Attributes, of elements and of our components, whose value a person reads or hears. */
const READ =
  /^(aria-label|aria-description|aria-roledescription|alt|title|placeholder|label|text|lead|detail|caption|name|summary|heading|question|empty)$/;

const LETTERS = /\p{L}/u;

/** What is the same in every language: the name of the program, and what is typed in a terminal. */
const UNTRANSLATED = /^hangtag( [a-z].*)?$/;

/** Two words beside each other: what a key, a class, a path or a query never is. */
const SENTENCE = /\p{L}{2,}[,.:;]? \p{L}/u;

/** Where a text of several words is not shown to anyone: classes and styles, imports, the words of programmers' errors. */
const UNSEEN = new Set([
  'class',
  'style',
  'd',
  'points',
  'transform',
  'viewBox',
  'sizes',
  'srcset',
  'rel',
  'accept',
]);

/** @type {import('eslint').Rule.RuleModule} Every text of the page comes from the message files in `src/lib/words/`: none stands in a component or beside it. */
export const noLiteralText = {
  meta: {
    type: 'problem',
    messages: { literal: 'Move “{{text}}” to the message files in src/lib/words/ and say it with t(…).' },
    schema: [],
  },
  create(context) {
    /** @param {Node} node @param {string} text */
    const report = (node, text) =>
      UNTRANSLATED.test(text.replace('·', '').trim()) ||
      context.report({ node, messageId: 'literal', data: { text: text.trim() } });

    /** @param {Node} node @param {string} text */
    function checkLiteral(node, text) {
      if (isProgram(node)) return;
      const attribute = attributeOf(node);
      const isRead = READ.test(attribute ?? '') && LETTERS.test(text);
      if (isRead || (SENTENCE.test(text) && !UNSEEN.has(attribute ?? ''))) report(node, text);
    }

    return {
      SvelteText: (/** @type {Node} */ node) => {
        if (LETTERS.test(node.value) && !/^(style|code|kbd)$/.test(node.parent.name?.name ?? ''))
          report(node, node.value);
      },
      SvelteLiteral: (/** @type {Node} */ node) => checkLiteral(node, node.value),
      Literal: (node) => typeof node.value === 'string' && checkLiteral(node, node.value),
      TemplateElement: (/** @type {Node} */ node) => checkLiteral(node, node.value.cooked ?? ''),
    };
  },
};

/** The attribute in whose value this stands, if it stands in one. @param {Node} node @returns {string | undefined} */
function attributeOf(node) {
  for (let at = node.parent; at; at = at.parent) {
    if (at.type === 'SvelteAttribute') return at.key.name;
    if (at.type === 'SvelteStyleDirective' || at.type === 'SvelteDirective') return 'style';
    if (at.type === 'SvelteElement' || /Function/.test(at.type)) return undefined;
  }
  return undefined;
}

/** Whether a literal speaks to programs or programmers: an import, a thrown error, what `t` and the like are asked for. @param {Node} node @returns {boolean} */
function isProgram(node) {
  const { parent } = node;
  if (/^(Import|Export)/.test(parent.type)) return true;
  if (parent.type === 'BinaryExpression' || parent.type === 'TSLiteralType') return true;
  if (parent.type === 'MemberExpression' && parent.property === node) return true;
  if (/^(CallExpression|NewExpression)$/.test(parent.type)) {
    const called = parent.callee.name ?? parent.callee.property?.name ?? '';
    return /^(t|said|named|resolve|asset|Error|TypeError|matchMedia|querySelector|querySelectorAll|closest|get|load|includes|startsWith|endsWith)$/i.test(
      called,
    );
  }
  return parent.type === 'TemplateLiteral' && isProgram(parent);
}
