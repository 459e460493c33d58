"""What each operation of the API requires. An operation that is not listed here is refused to everyone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hangtag.domain.roles import Action


@dataclass(frozen=True, slots=True)
class Rule:
    """The action that an operation requires (None: anyone may call it), and whether calls are audited.

    Decisions are not audited: they are stored with the products, with who and when. Changes to people, tokens and
    passwords are recorded where they happen, with the person concerned.
    """

    action: Action | None
    audited: bool = False


_ANYONE: Final = Rule(None)
_READ: Final = Rule(Action.READ)
_LABEL: Final = Rule(Action.LABEL)
_LABEL_AUDITED: Final = Rule(Action.LABEL, audited=True)
_REVIEW: Final = Rule(Action.REVIEW)
_REVIEW_AUDITED: Final = Rule(Action.REVIEW, audited=True)
_ACCOUNT: Final = Rule(Action.ACCOUNT)
_ADMINISTER: Final = Rule(Action.ADMINISTER)
_ADMINISTER_AUDITED: Final = Rule(Action.ADMINISTER, audited=True)

RULES: Final[Mapping[str, Rule]] = {
    "show_health": _ANYONE,
    "show_readiness": _ANYONE,
    "show_metrics": Rule(Action.METRICS),
    "show_api_page": _ANYONE,
    "show_status": _READ,
    # Signing in
    "show_session": _ANYONE,
    "sign_in": _ANYONE,
    "begin_single_sign_on": _ANYONE,
    "finish_single_sign_on": _ANYONE,
    "sign_out": _ACCOUNT,
    "change_password": _ACCOUNT,
    "look_at_invitation": _ANYONE,
    "accept_invitation": _ANYONE,
    # Tokens, people, audit
    "list_tokens": _ACCOUNT,
    "add_token": _ACCOUNT,
    "revoke_token": _ACCOUNT,
    "list_people": _ADMINISTER,
    "add_person": _ADMINISTER,
    "change_person": _ADMINISTER,
    "remove_person": _ADMINISTER,
    "invite_person": _ADMINISTER,
    "list_all_tokens": _ADMINISTER,
    "revoke_any_token": _ADMINISTER,
    "show_audit": _ADMINISTER,
    # Labelling without storing anything
    "create_predictions": _LABEL,
    "compare_models": _LABEL,
    "explain_photo": _LABEL,
    "create_export": _READ,
    # Things to look at
    "list_models": _READ,
    "list_names": _READ,
    "show_model": _READ,
    "show_confusion": _READ,
    "show_taxonomy": _READ,
    "show_catalogue": _READ,
    "list_findings": _READ,
    "read_catalogue_photo": _READ,
    "list_examples": _READ,
    "list_samples": _READ,
    "read_sample": _READ,
    # Batches and their products
    "list_batches": _READ,
    "create_batch": _LABEL_AUDITED,
    "show_batch": _READ,
    "change_batch": _REVIEW,
    "delete_batch": _REVIEW_AUDITED,
    "duplicate_batch": _LABEL_AUDITED,
    "add_files": _LABEL,
    "create_job": _LABEL_AUDITED,
    "show_job": _READ,
    "download_job": Rule(Action.READ, audited=True),
    "show_sheet": _READ,
    "use_sheet": _LABEL,
    "list_groupings": _READ,
    "set_grouping": _LABEL,
    "merge_products": _REVIEW,
    "split_product": _REVIEW,
    "list_log": _READ,
    "export_products": Rule(Action.READ, audited=True),
    "check_batch_export": _READ,
    "list_changes": _READ,
    "fill_own_sheet": _READ,
    "push_batch_labels": _REVIEW,
    "list_export_templates": _READ,
    # Webhooks
    "list_webhooks": _ADMINISTER,
    "add_webhook": _ADMINISTER_AUDITED,
    "change_webhook": _ADMINISTER_AUDITED,
    "delete_webhook": _ADMINISTER_AUDITED,
    "rotate_webhook_secret": _ADMINISTER_AUDITED,
    "test_webhook": _ADMINISTER,
    "list_deliveries": _ADMINISTER,
    "redeliver": _ADMINISTER_AUDITED,
    # Export templates, and category mappings
    "show_export_template": _READ,
    "add_export_template": _REVIEW_AUDITED,
    "draft_export_template": _REVIEW,
    "change_export_template": _REVIEW_AUDITED,
    "delete_export_template": _REVIEW_AUDITED,
    "duplicate_export_template": _REVIEW_AUDITED,
    "list_taxonomies": _READ,
    "show_taxonomy_mapping": _READ,
    "add_taxonomy": _REVIEW_AUDITED,
    "draft_taxonomy_mapping": _REVIEW,
    "read_taxonomy_table": _REVIEW,
    "change_taxonomy": _REVIEW_AUDITED,
    "delete_taxonomy": _REVIEW_AUDITED,
    "duplicate_taxonomy": _REVIEW_AUDITED,
    "download_taxonomy": _READ,
    "list_comments": _READ,
    "add_comment": _REVIEW,
    "list_views": _READ,
    "set_views": _REVIEW,
    "list_batch_views": _READ,
    "set_batch_views": _REVIEW,
    "set_presence": _READ,
    "watch_batch": _READ,
    "list_products": _READ,
    "count_products": _READ,
    "show_product": _READ,
    "find_similar": _READ,
    "decide": _REVIEW,
    "undo": _REVIEW,
    "redo": _REVIEW,
    "show_thumbnail": _READ,
    "show_image": _READ,
    "download_original": _READ,
    # Learning from the shop
    "review_catalogue": _LABEL_AUDITED,
    "download_corrections": Rule(Action.READ, audited=True),
    "export_decisions": Rule(Action.READ, audited=True),
    "import_decisions": _REVIEW_AUDITED,
    "show_agreement": _READ,
    "export_taxonomy": _READ,
    "add_class": _REVIEW_AUDITED,
    "remove_class": _REVIEW_AUDITED,
    "set_display_name": _REVIEW,
    "show_shop": _READ,
    "change_shop": Rule(Action.ADMINISTER, audited=True),
    "suggest_next": _READ,
    "list_shop_models": _READ,
    "show_shop_model": _READ,
    "download_shop_model": _READ,
    "learn_now": _REVIEW_AUDITED,
    "promote_shop_model": _REVIEW_AUDITED,
    "roll_back_shop": _REVIEW_AUDITED,
    "archive_shop_model": _REVIEW_AUDITED,
    "undo_learning": _REVIEW_AUDITED,
}
