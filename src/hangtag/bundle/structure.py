"""Checks that the graph of a bundle matches its card."""

from typing import Final

from hangtag.bundle.card import Card
from hangtag.bundle.graph import FLOAT32, UINT8, Graph, Port
from hangtag.domain.errors import BundleError

INPUT: Final = "photos"
"""The name of the only input: uint8 of shape (N, height, width, 3), RGB, N free."""

_KINDS: Final = {FLOAT32: "float32", UINT8: "uint8"}
_RANK_OF_LOGITS: Final = 2


def check_structure(graph: Graph, card: Card) -> None:
    """Compare a graph with its card.

    Raises `BundleError` if the input does not match the preprocessing, an output is missing or unknown, a head has
    another number of outputs than classes, weights are stored outside the file, or the nodes are not in an order in
    which they can be run.
    """
    _check_self_contained(graph)
    _check_input(graph, card)
    _check_outputs(graph, card)
    _check_order(graph)


def _check_self_contained(graph: Graph) -> None:
    """Refuse weights stored in another file: a model could name any file of the machine that opens it."""
    if graph.outside:
        raise BundleError(
            f"the weights {graph.outside[0]!r} are stored outside the file",
            fix="A bundle is one file: export it with all its weights inside.",
        )


def _check_order(graph: Graph) -> None:
    if graph.functions:
        raise BundleError(
            "the file defines its own operators", fix="Export the model with standard operators only."
        )
    if graph.undefined:
        raise BundleError(f"the graph reads {graph.undefined[0]!r} before it exists")


def _check_input(graph: Graph, card: Card) -> None:
    if [port.name for port in graph.inputs] != [INPUT]:
        names = ", ".join(repr(port.name) for port in graph.inputs) or "none"
        raise BundleError(f"the model should have one input, {INPUT!r}, but it has {names}")
    found = graph.inputs[0]
    expected = (None, card.preprocessing.height, card.preprocessing.width, 3)
    if (found.kind, found.shape) != (UINT8, expected):
        raise BundleError(
            f"the input {INPUT!r} is {_render(found.kind, found.shape)}, "
            f"but the card's preprocessing makes {_render(UINT8, expected)}"
        )


def _check_outputs(graph: Graph, card: Card) -> None:
    outputs = {port.name: port for port in graph.outputs}
    described = set(card.output_widths)
    missing, unknown = sorted(set(card.columns) - set(outputs)), sorted(set(outputs) - described)
    if missing:
        raise BundleError(f"the card describes heads that the model does not have: {', '.join(missing)}")
    if card.ood_detector:
        _check_output(outputs.get(card.ood_detector.output), card.ood_detector.output, ("OOD detector", 1))
    if card.embedding:
        _check_output(
            outputs.get(card.embedding.output), card.embedding.output, ("embedding", card.embedding.size)
        )
    if unknown:
        raise BundleError(f"the model has outputs that the card does not describe: {', '.join(unknown)}")
    for head in card.heads:
        port = outputs[head.column]
        if port.kind != FLOAT32 or len(port.shape) != _RANK_OF_LOGITS:
            found = _render(port.kind, port.shape)
            raise BundleError(f"the output {head.column!r} is {found}, not float32 (N, classes)")
        check_class_count(head.column, port.shape[1], len(head.classes))


def _check_output(port: Port | None, name: str, described: tuple[str, int]) -> None:
    """Compare an output with its description in the card: the name of the part, and its width."""
    what, width = described
    if port is None:
        raise BundleError(
            f"the card describes the {what} {name!r}, but the model has no such output",
            fix=f"Export the model again with its {what}, or leave it out of the card.",
        )
    if (port.kind, port.shape) != (FLOAT32, (None, width)):
        found = _render(port.kind, port.shape)
        raise BundleError(f"the output {name!r} of the {what} is {found}, not float32 (N, {width})")


def check_class_count(column: str, outputs: int | None, classes: int) -> None:
    """Compare a head's outputs with the classes in its card. Raises `BundleError` with both numbers."""
    if outputs != classes:
        found = "an unknown number of" if outputs is None else str(outputs)
        raise BundleError(f"the head {column!r} has {found} outputs, but {classes} classes in the card")


def _render(kind: int, shape: tuple[int | None, ...]) -> str:
    sizes = ", ".join("N" if size is None else str(size) for size in shape)
    return f"{_KINDS.get(kind, f'of the ONNX type {kind}')} ({sizes})"
