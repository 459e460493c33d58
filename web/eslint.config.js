import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import { noLiteralText } from './eslint/no-literal-text.js';

export default ts.config(
  { ignores: ['.svelte-kit/', 'test-results/', 'src/lib/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  prettier,
  ...svelte.configs.prettier,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      'no-undef': 'off', // TypeScript knows better
      'svelte/prefer-svelte-reactivity': 'off', // a set that is made and read needs no reactivity
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', { max: 50, skipComments: true }],
      'max-params': ['error', 5],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  { files: ['**/*.svelte'], rules: { 'max-lines': ['error', 150] } },
  {
    files: ['src/**/*.svelte', 'src/**/*.ts'],
    ignores: [
      'src/**/*.test.ts',
      'src/lib/words/**',
      'src/lib/ui/columns.ts',
      'src/lib/batch/{shop-words,fake-service}.ts', // names of classes, not words of the page
    ],
    plugins: { page: { rules: { 'no-literal-text': noLiteralText } } },
    rules: { 'page/no-literal-text': 'error' },
  },
  { files: ['src/lib/words/**/*.ts'], rules: { 'max-lines': 'off' } }, // a language is one file
  { files: ['**/*.test.ts', 'e2e/**'], rules: { 'max-lines-per-function': 'off' } },
);
