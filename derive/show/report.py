"""One page about a catalogue: how sizes follow and what is proven, then each operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derive import derivations, proofs
from derive.catalogue import Entry
from derive.core.sizes import convolution_size
from derive.explaining import explain

from .page import Block, Derived, Heading, Listing, Page, Paragraph, Table, operator_blocks

SAID = ("Shapes", "Work")  # by the tables above them
INTRODUCTION = (
    "Along an axis, output position y, kernel tap t and input position x belong together when ",
    convolution_size().steps[0].statement,
    ", with stride s, dilation d, padding p_0 before the input and input dilation u. All that "
    "follows is derived from this relation in exact arithmetic.",
)


def report_page(entries: Iterable[Entry]) -> Page:
    """The report: general derivations, then a section for each entry.

    >>> from derive import Conv1d
    >>> page = report_page([Entry("blur", Conv1d(1, 1, 3, input_size=4))])
    >>> [block.words for block in page if isinstance(block, Heading) and block.level < 3]
    ['Convolution-like layers, derived', 'Derivations', 'Proofs', 'blur']
    """
    heading = Heading("Convolution-like layers, derived"), Paragraph(INTRODUCTION)
    sections = (block for entry in entries for block in _section(entry))
    return (*heading, *_general(), *sections)


def _general() -> Iterator[Block]:
    yield Heading("Derivations", 2)
    for derivation in derivations.general():
        yield Derived(derivation)
    yield Heading("Proofs", 2)
    yield from _proofs()


def _proofs() -> Iterator[Block]:
    """What the solver made of every claim, for all integers."""
    try:
        proven = proofs.prove_all()
    except ImportError as error:
        yield Paragraph((f"The claims were not proven here: {error}",))
        return
    yield Paragraph(("For all integers; a false variant of a claim has a counterexample.",))
    yield Table(("claim", "verdict", "solver"), tuple(map(_verdict, proven)))


def _verdict(proof: proofs.Proof) -> tuple[str, str, str]:
    found = ", ".join(f"{name} = {value}" for name, value in proof.counterexample or ())
    against = f" Counterexample: {found}." if found else ""
    return f"{proof.claim.name}: {proof.claim.sentence}{against}", proof.verdict, proof.solver


def _section(entry: Entry) -> Iterator[Block]:
    yield Heading(entry.name, 2)
    yield Paragraph((repr(entry.op),))
    yield from operator_blocks(entry.op, steps=True, picture=True)
    for section in explain(entry.op).sections:
        if section.title not in SAID:
            yield Heading(section.title, 3)
            yield Listing(section.sentences)
