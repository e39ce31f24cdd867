"""Formats that other programs read: a compiler of LaTeX, a browser, and Markdown."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import derive
from derive.catalogue import read_catalogue
from derive.command_line import main
from derive.errors import ExportError
from derive.show import pdf
from derive.show.html import document, fragment, operator_html
from derive.show.latex import document as latex_document
from derive.show.markdown import page_markdown
from derive.show.page import Figure, Heading, Listing, Paragraph, Rows, Table, operator_page
from derive.show.picture import svg, tikz
from derive.show.report import report_page
from derive.show.structure import MOST_COLUMNS, MOST_ROWS, structure
from tests.show import reading

ENTRIES = read_catalogue(Path(__file__).parents[2] / "operators.toml")
CLASSIC = derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
WORDS = "conv2d --kernel-size 3 --input-size 4 4 --no-bias"
CORE = (
    "math merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms "
    "mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover"
)
HOSTILE = '</style><script>alert(1)</script> & "\\end{document} $x$ | <b> ~#%_^{} `*'
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def report() -> str:
    return document(report_page(ENTRIES), contents=True)


def hostile_page() -> tuple[Heading | Paragraph | Listing | Rows | Table, ...]:
    words = HOSTILE
    return (
        Heading(words),
        Heading(words, 2),
        Paragraph((words,)),
        Listing((words,)),
        Rows(words, ()),
        Table((words,), ((words,),)),
    )


class Reader(HTMLParser):
    """Tags and attributes, and whether every element is closed in order."""

    VOID = ("meta", "link")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_html(source: str) -> Reader:
    found = Reader(source)
    assert "script" not in found.tags
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for tag, name, value in found.attributes:
        assert not name.startswith("on")
        if name in ("href", "src"):
            assert value == "data:," or value[1:] in ids, (tag, value)
        else:
            assert "://" not in value or name == "xmlns"
    assert not re.search(r"@import|url\(", source)
    for formula in re.findall(r"<math.*?</math>", source, re.DOTALL):
        assert {element.tag for element in ElementTree.fromstring(formula).iter()} <= {
            *CORE.split(" ")
        }
    for picture in re.findall(r"<svg.*?</svg>", source, re.DOTALL):
        ElementTree.fromstring(picture)
    return found


def test_the_report_is_one_file_with_links_that_lead_somewhere(report: str) -> None:
    found = check_html(report)
    links = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    assert len(links) == report.count("<h2") > len(ENTRIES)
    assert all(f">{entry.name}</h2>" in report for entry in ENTRIES)
    assert found.tags.count("svg") == len(ENTRIES)


@pytest.mark.parametrize(
    "op", [*reading.FUSED, CLASSIC, CLASSIC.T @ CLASSIC, derive.Conv1d(1, 1, 3)]
)
def test_every_kind_of_operator_is_well_formed(op: derive.LinearMap) -> None:
    check_html(document(operator_page(op, steps=True, picture=op.input_size is not None)))
    assert op._repr_html_() == fragment(operator_page(op)[1:])
    drawn = op._repr_svg_()
    assert (drawn is None) == (op.input_size is None)


def test_hostile_names_are_inert() -> None:
    found = check_html(document(hostile_page(), contents=True))
    assert "b" not in found.tags
    if pdf.installed():
        assert pdf.compiled(latex_document(hostile_page(), contents=True)).startswith(b"%PDF-")
    markdown = page_markdown(hostile_page())
    assert not re.search(r"(?<!\\)[<`$]", markdown)


def test_the_report_shows_derivations_and_proofs_beside_them(report: str) -> None:
    for derivation in derive.derivations.general():
        assert f'<p class="title">{escape(derivation.title)}</p>\n{derivation.html()}' in report
    pytest.importorskip("z3")
    assert report.count("<td>proven</td>") >= 15
    assert report.count("<td>refuted</td>") == report.count("Counterexample: ") >= 6


@needs_latex
def test_all_latex_compiles_in_one_run_without_a_warning(tmp_path: Path) -> None:
    page = (*report_page(ENTRIES), *operator_page(CLASSIC.T @ CLASSIC))
    (tmp_path / "page.tex").write_text(latex_document(page))
    run = subprocess.run(
        ["pdflatex", *pdf.QUIET, "page.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    log = (tmp_path / "page.log").read_text(errors="replace")
    assert run.returncode == 0, log[-2000:]
    assert not re.findall(r"^(?:.*Warning|Overfull|Underfull|!).*$", log, re.MULTILINE)


@needs_latex
def test_a_document_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 1)
    with pytest.raises(ExportError, match="pdflatex did not finish"):
        pdf.compiled(r"\documentclass{article}\begin{document}\loop\iftrue\repeat\end{document}")


@needs_latex
def test_generated_fragments_need_amsmath_alone(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "generated" / "latex"
    inputs = "\n".join(f"\\input{{{path}}}" for path in sorted(folder.glob("*.tex")))
    head = "\\documentclass{article}\\usepackage{amsmath}\\begin{document}\n"
    (tmp_path / "page.tex").write_text(f"{head}{inputs}\n\\end{{document}}\n")
    subprocess.run(
        ["pdflatex", *pdf.QUIET, "page.tex"], cwd=tmp_path, capture_output=True, check=True
    )
    log = (tmp_path / "page.log").read_text(errors="replace")
    assert not re.findall(r"^(?:.*Warning|Overfull|!).*$", log, re.MULTILINE)


@needs_browser
@pytest.mark.parametrize("width", [380, 1200])
def test_a_browser_shows_the_page_without_a_request(
    tmp_path: Path, report: str, width: int
) -> None:
    (tmp_path / "report.html").write_text(report)
    run = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},800",
            "--virtual-time-budget=1000",
            "--enable-logging=stderr",
            "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0
    assert "CONSOLE" not in run.stderr
    assert run.stdout.count("<math") == report.count("<math")
    assert run.stdout.count("</svg>") == len(ENTRIES)


def test_a_picture_has_the_cells_of_the_matrix() -> None:
    picture = structure(CLASSIC)
    matrix = CLASSIC.matrix().todok()
    assert {(cell.row, cell.column) for cell in picture.cells} == matrix.keys()
    colours = {cell.colour for cell in picture.cells}
    assert len(colours) == len({str(entry) for entry in matrix.values()}) == 9
    tapped = {(str(matrix[cell.row, cell.column]), cell.colour) for cell in picture.cells}
    assert len(tapped) == 9
    assert svg(picture).count("h10v10") == tikz(picture).count("+(1,1)") == 36
    assert picture.seams == (4, 8, 12)


def test_a_large_picture_has_the_corners() -> None:
    op = derive.Conv2d(64, 64, 3, padding=1, input_size=(56, 56))
    picture = structure(op)
    assert (picture.rows, picture.columns) == (MOST_ROWS, MOST_COLUMNS)
    assert (0, 0) in {(cell.row, cell.column) for cell in picture.cells}
    last = MOST_ROWS - 1, MOST_COLUMNS - 1
    assert last in {(cell.row, cell.column) for cell in picture.cells}
    assert not any(cell.row == picture.row_gap for cell in picture.cells)
    assert len(svg(picture)) < 40_000


def run(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


@pytest.mark.parametrize(
    ("format", "start"),
    [
        ("markdown", "# Conv2d(1, 1, 3"),
        ("html", "<!DOCTYPE html>"),
        ("svg", "<svg xmlns="),
        ("latex --standalone", "\\documentclass[a4paper]{article}"),
    ],
)
def test_text_formats_go_to_the_terminal_or_to_a_file(
    tmp_path: Path, format: str, start: str
) -> None:
    shown = run(f"{WORDS} --format {format}")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith(start)
    path = tmp_path / "deep" / "file"
    written = run(f"{WORDS} --format {format} --out {path}")
    assert (written.exit_code, written.stdout) == (0, f"wrote {path}\n")
    assert path.read_text() == shown.stdout
    assert [each.name for each in path.parent.iterdir()] == ["file"]


@needs_latex
def test_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    assert run(f"{WORDS} --format pdf --out {path}").exit_code == 0
    assert path.read_bytes().startswith(b"%PDF-")


def test_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "matrix.png"
    assert run(f"{WORDS} --format png --out {path}").exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{WORDS} --format pdf", "--format pdf needs --out"),
        (f"{WORDS} --format png", "--format png needs --out"),
        (f"{WORDS} --out a --out b", "--out: one file"),
        (f"{WORDS} --format html --standalone", "--standalone goes with --format latex"),
        (f"{WORDS} --figure overlap --format html --out a.svg", "from the suffix of --out"),
        (f"{WORDS} --format html --out /proc/none/a.html", "error: "),
        ("conv2d --kernel-size 3 --format svg", "input_size = None"),
        ("conv2d --kernel-size 3 --format png --out a.png", "input_size = None"),
        ("report /nowhere.toml", "error: /nowhere.toml"),
    ],
)
def test_wrong_usage_exits_2_with_a_sentence(words: str, message: str) -> None:
    result = run(words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_without_a_compiler_a_pdf_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "page.pdf"
    result = run(f"{WORDS} --format pdf --out {path}")
    assert (result.exit_code, path.exists()) == (2, False)
    assert "texlive-latex-base" in result.stderr
    catalogue = tmp_path / "operators.toml"
    catalogue.write_text(
        '[[operator]]\nname = "a"\nlayer = "Conv1d"\nin_channels = 1\n'
        "out_channels = 1\nkernel_size = 3\ninput_size = 4\n"
    )
    result = run(f"report {catalogue} --out {tmp_path / 'out'}")
    assert result.exit_code == 0
    assert "texlive-latex-base" in result.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"latex", "report.html"}
    check_html((tmp_path / "out" / "report.html").read_text())


def test_a_report_replaces_nothing_of_others(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    catalogue = Path(__file__).parents[2] / "operators.toml"
    result = run(f"report {catalogue} --out {tmp_path}")
    assert result.exit_code == 2
    assert "is in the way" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@needs_latex
def test_wrong_latex_and_slow_latex_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="failed: !"):
        pdf.compiled("\\documentclass{article}\\begin{document}\\nothing\\end{document}")
    monkeypatch.setattr(pdf, "SECONDS", 1)
    with pytest.raises(ExportError, match="did not finish"):
        pdf.compiled("\\documentclass{article}\\begin{document}\\def\\a{\\a}\\a\\end{document}")


@pytest.mark.parametrize("op", [CLASSIC, derive.Conv1d(1, 1, 3)])
def test_html_of_an_operator_is_a_document(op: derive.Operator) -> None:
    assert ("<svg" in operator_html(op)) == (op.input_size is not None)
    assert isinstance(operator_page(CLASSIC, picture=True)[-1], Figure)
