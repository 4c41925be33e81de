"""Whom a run has to cite: found by the papers that adapters and data sets name in words.

A docstring says `Steck 2019`; the entry whose first author and year these are stands in
`templates/references.bib`. What names no known paper gets an entry of its own.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from recbench.adapters import available
from recbench.benchmarks.records import AlgorithmDescription, DataDescription
from recbench.reports.papers.escape import TEMPLATES, escape_bibtex
from recbench.reports.results import Results, Row, metrics

FILE = TEMPLATES / "references.bib"
LONGEST_KEY = 40  # characters of a name in a key
BENCH = "recbench"  # the key of this bench
SURNAME = r"[A-Z][a-z][\w'-]*"
# Such as `Koren, Bell and Volinsky (2009)`, `He et al. 2015` or `Salakhutdinov & Mnih 2008`
MENTION = re.compile(
    rf"(?P<first>{SURNAME})(?:(?:, | and | & ){SURNAME})*(?: et al\.?)?"
    r",? \(?(?P<year>(?:19|20)\d\d)"
)
ACCENTS = {'"': "\u0308", "'": "\u0301"}  # of BibTeX, as Unicode combines them with a letter
STATISTICS = ("efron1987", "hesterberg2015", "westfall1993")


@dataclass(frozen=True)
class Reference:
    """An entry of a bibliography."""

    key: str
    source: str  # as BibTeX has it, without a line end

    @cached_property
    def surname(self) -> str:
        """The last word of the first author's family name, without accents; empty if none."""
        author = self._field("author").partition(" and ")[0].partition(",")[0]
        plain = re.sub(r"\\\W|[{}]", "", author)
        return plain.rpartition(" ")[2]

    @property
    def year(self) -> str:
        """Of the publication; empty if it is not said."""
        return self._field("year")

    @property
    def mentions(self) -> str:
        """Words that name it beside author and year; empty if there are none."""
        return self._field("mentions")

    @property
    def label(self) -> str:
        """As text names it: `Steck, 2019`."""
        authors = _read_accents(self._field("author")).split(" and ")
        names = [author.partition(",")[0] for author in authors]
        named = " and ".join(names) or self.key
        if len(names) > 2 or names[-1] == "others":
            named = f"{names[0]} et al."
        return f"{named}, {self.year}" if self.year else named

    def _field(self, name: str) -> str:
        found = re.search(rf"^  {name} = {{(.*)}},$", self.source, re.M)
        return found[1] if found else ""


@cache
def read_references() -> dict[str, Reference]:
    """All entries that the bench knows, by key."""
    references = {}
    for entry in re.finditer(r"^@\w+\{([^,]+),\n(?:  .*\n)+\}", FILE.read_text(), re.M):
        key = entry[1]
        references[key] = Reference(key, source=entry[0])
    return references


def find_papers(text: str) -> list[Reference]:
    """The known entries whose author and year a text names, in its order, each once."""
    plain = _strip_accents(" ".join(text.split()))
    named = {
        (reference.surname, reference.year): reference for reference in read_references().values()
    }
    found = []
    for mention in MENTION.finditer(plain):
        reference = named.get((mention["first"], mention["year"]))
        if reference is not None:
            found.append(reference)
    for reference in read_references().values():
        if reference.mentions and reference.mentions in plain:
            found.append(reference)
    return list(dict.fromkeys(found))


def list_unknown_papers(text: str) -> list[str]:
    """What a text names by author and year and no entry has, as it stands there."""
    plain = _strip_accents(" ".join(text.split()))
    named = {(reference.surname, reference.year) for reference in read_references().values()}
    by_words = [one.mentions for one in read_references().values() if one.mentions]
    return [
        mention[0]
        for mention in MENTION.finditer(plain)
        if (mention["first"], mention["year"]) not in named and mention[0] not in by_words
    ]


def _read_accents(text: str) -> str:
    """A name as BibTeX has it as it is printed, with umlauts and acute accents."""
    marked = re.sub(r"\\([\"'])(\w)", lambda found: found[2] + ACCENTS[found[1]], text)
    return unicodedata.normalize("NFC", re.sub(r"\\\W|[{}]", "", marked))


def _strip_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@dataclass(frozen=True)
class Bibliography:
    """Whom each part of a run cites, all of them entries of one file."""

    by_row: Mapping[str, tuple[Reference, ...]]
    of_data: tuple[Reference, ...]
    of_libraries: tuple[Reference, ...]
    of_methods: tuple[Reference, ...]
    of_metrics: tuple[Reference, ...]
    bench: Reference

    @property
    def entries(self) -> list[Reference]:
        """Each once, by key."""
        everything = [self.bench, *self.of_data, *self.of_libraries]
        everything += [*self.of_methods, *self.of_metrics]
        for references in self.by_row.values():
            everything += references
        return sorted(set(everything), key=lambda reference: reference.key)

    def write(self) -> str:
        """The file `references.bib`; everything from data is escaped."""
        return "\n\n".join(reference.source for reference in self.entries) + "\n"


def collect_references(results: Results) -> Bibliography:
    """Whom a run cites: its rows' papers and libraries, its data, the statistics, this bench."""
    known = read_references()
    algorithms = results.about.algorithms
    libraries = [name for described in algorithms.values() for name in described.libraries]
    definitions = [metric.definition for metric in metrics(results).values()]
    methods = list(STATISTICS)
    if results.searches:
        methods += ["akiba2019optuna", "dodge2019"]
    return Bibliography(
        by_row={row.name: _cite_row(row, results) for row in results.rows},
        of_data=_cite_data(results.about.data),
        of_libraries=tuple(dict.fromkeys(find_papers(" ".join(libraries)))),
        of_methods=tuple(known[key] for key in methods),
        of_metrics=tuple(find_papers(" ".join(definitions))),
        bench=_describe_bench(results),
    )


def _cite_row(row: Row, results: Results) -> tuple[Reference, ...]:
    """The papers that the row's own words name; the bench for what it makes up itself; else an
    entry of its own.
    """
    name = row.name if row.name in results.about.algorithms else row.records[0].cell.untuned_row
    described = results.about.algorithms.get(name)
    definition = described.definition if described is not None else ""
    papers = find_papers(definition)
    if papers:
        return tuple(papers)

    algorithm = row.records[0].cell.algorithm
    adapter = available().get(algorithm)
    if adapter is not None and adapter.__module__.startswith("recbench."):
        return (_describe_bench(results),)
    return (_describe_row(algorithm, described),)


def _describe_row(algorithm: str, described: AlgorithmDescription | None) -> Reference:
    """An entry for an algorithm from outside, whose words name no known paper."""
    definition = described.definition if described is not None else ""
    note = definition.partition("\n")[0] or "not described"
    return _make_entry(_make_key("row", algorithm), "misc", title=algorithm, note=note)


def _cite_data(data: DataDescription) -> tuple[Reference, ...]:
    """The known paper of a data set, or an entry with what its loader says of it."""
    plain = _strip_accents(data.citation)
    known = [
        reference
        for reference in read_references().values()
        if reference.surname
        and re.search(rf"\b{re.escape(reference.surname)}\b", plain.partition(".  ")[0])
        and reference.year in plain
        and _is_first_author(reference.surname, plain)
    ]
    if known:
        return (known[0],)
    name = f"{data.name} (SIMULATED)" if data.simulated else data.name
    note = data.citation or "no citation stated"
    return (_make_entry(_make_key("data", data.name), "misc", title=name, note=note),)


def _make_key(kind: str, name: str) -> str:
    """A key for what has no paper; two names never share one."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_KEY]
    return f"{kind}-{plain}-{digest[:6]}"


def _is_first_author(surname: str, citation: str) -> bool:
    """Whether a citation begins with this name, initials aside."""
    return re.match(rf"(?:[A-Z]\. ?)*{re.escape(surname)}\b", citation) is not None


def _describe_bench(results: Results) -> Reference:
    """The entry of this bench, with the commit that measured."""
    environment = results.about.environment
    commit = environment.commit or "unknown"
    changed = " with changes" if environment.dirty else ""
    started = sorted(record.started for record in results.records if record.started)
    return _make_entry(
        BENCH,
        "misc",
        author="{The recbench developers}",
        title="{recbench}: A Bench for Classical Recommenders",
        note=escape_bibtex(f"Commit {commit}{changed}"),
        year=escape_bibtex(started[0][:4]) if started else "",
    )


def _make_entry(key: str, kind: str, **fields: str) -> Reference:
    """An entry; texts of `_describe_bench` are BibTeX already, all others are escaped."""
    lines = [f"@{kind}{{{key},"]
    for name, text in fields.items():
        value = text
        if key != BENCH:
            value = f"{{{escape_bibtex(text)}}}"
        if value:
            lines.append(f"  {name} = {{{value}}},")
    lines.append("}")
    return Reference(key, "\n".join(lines))


def cite(references: Iterable[Reference]) -> str:
    r"""As LaTeX cites them: `\cite{a,b}`; empty if there is none."""
    keys = ",".join(reference.key for reference in references)
    return f"\\cite{{{keys}}}" if keys else ""
