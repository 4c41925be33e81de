"""Blocks as HTML: the classes are those of `templates/page.css`, and `page.js` makes them move."""

from collections.abc import Iterable
from typing import assert_never

from markupsafe import Markup, escape

from recbench.datasets.foundation import make_legible
from recbench.reports.drawing import Column, Gap, Heatmap, Line, Square, colour_key
from recbench.reports.rendering.blocks import (
    AnyCell,
    Appendix,
    Beside,
    Block,
    Bullets,
    Card,
    Cards,
    Cautions,
    Choice,
    Code,
    Command,
    Commands,
    Definitions,
    Details,
    FailedCells,
    Figure,
    Gallery,
    Glossary,
    Heading,
    HeatmapTable,
    IntervalCell,
    Link,
    MatrixTable,
    MissingCell,
    Note,
    Pairs,
    Paragraph,
    Piece,
    References,
    RowName,
    SectionLink,
    Sign,
    Spoken,
    StarredTitles,
    Strong,
    Table,
    TableCell,
    TableHead,
    TableLine,
    TableRemark,
    Tag,
    Verbatim,
    Words,
    list_pieces,
)
from recbench.reports.words import NONE

SPARE = Markup(" data-spare")
BEST_FIRST = ' data-first="descending"'  # so that the first click on a head puts the best first
CLASSES = {
    "number": "",
    "text": "text",
    "word": "text word",
    "reason": "text reason",
    "command": "text commands",
}


def render_html(blocks: Iterable[Block]) -> Markup:
    """The blocks one below the other, with all their text escaped; an unknown one is an error."""
    return Markup("\n").join(_render_block(block) for block in blocks)


def _render_block(block: Block) -> Markup:
    match block:
        case Heading():
            return _fill("<h{0}>{1}</h{0}>", block.level, block.text)
        case Paragraph():
            return _fill("<p>{}</p>", _render_words(block.words))
        case Note():
            return _fill('<p class="note">{}</p>', _render_words(block.words))
        case Verbatim():
            return _fill("<pre>{}</pre>", block.text)
        case Bullets():
            return _render_list("ul", "definitions", block.entries)
        case References():
            return _render_list("ol", "note", block.entries)
        case StarredTitles():
            return _render_starred_titles(block)
        case Definitions():
            return _render_definitions(block)
        case Pairs():
            return _render_pairs(block)
        case Commands():
            return _render_commands(block)
        case Table():
            return _render_table(block)
        case Figure():
            return _render_figure(block)
        case Gallery():
            figures = Markup("\n").join(_render_figure(figure) for figure in block.figures)
            return _fill('<div class="charts">\n{}\n</div>', figures)
        case HeatmapTable():
            return _render_heatmap(block)
        case MatrixTable():
            return _render_matrix(block)
        case Details() | Appendix():
            return _fold(block.summary, render_html(block.blocks))
        case Glossary():
            return _render_glossary(block)
        case Cards():
            cards = Markup("\n").join(_render_card(card) for card in block.cards)
            return _fill('<div class="cards">\n{}\n</div>', cards)
        case Cautions():
            return _render_cautions(block)
        case Beside():
            pattern = '<div class="beside">\n<div>\n{}\n</div>\n<div>\n{}\n</div>\n</div>'
            return _fill(pattern, _render_block(block.first), _render_block(block.second))
        case Choice():
            return _render_choice(block)
        case _:
            assert_never(block)


def _fill(pattern: str, *values: object) -> Markup:
    """The pattern with `values` in its braces, escaped unless they are HTML already."""
    legible = [make_legible(value) if type(value) is str else value for value in values]
    return Markup(pattern).format(*legible)


def _escape(text: str) -> Markup:
    """Text, made legible, as HTML that shows just it; what is HTML already stays."""
    return escape(text if isinstance(text, Markup) else make_legible(text))


def _fold(summary: str, content: Markup) -> Markup:
    return _fill("<details>\n<summary>{}</summary>\n{}\n</details>", summary, content)


def _enclose(label: str, content: Markup) -> Markup:
    """A region of that name, which moves sideways where it is wider than the page."""
    pattern = '<div class="scroll" tabindex="0" role="region" aria-label="{}">\n{}\n</div>'
    return _fill(pattern, label, content)


def _render_words(words: Words) -> Markup:
    return Markup("").join(_render_piece(piece) for piece in list_pieces(words))


def _render_piece(piece: Piece) -> Markup:
    match piece:
        case str():
            return _escape(piece)
        case Code():
            return _fill("<code>{}</code>", piece.text)
        case Command():
            parts = (_fill("<span>{}</span>", part) for part in piece.text.split(" "))
            return _fill("<code>{}</code>", Markup(" ").join(parts))
        case Strong():
            return _fill("<strong>{}</strong>", piece.text)
        case Link():
            return _fill('<a href="{}">{}</a>', piece.address, piece.text)
        case RowName():
            return Markup(",<wbr>").join(_escape(part) for part in piece.name.split(","))
        case SectionLink():
            return _fill('<a class="more" href="#{}">{}</a>', piece.section, piece.text)
        case Sign():
            return _fill('<span aria-hidden="true">{}</span>', piece.text)
        case Spoken():
            return _fill('<span class="visually-hidden">{}</span>', piece.text)
        case Tag():
            style = "tag out" if piece.stands_out else "tag"
            return _fill('<span class="{}">{}</span>', style, piece.text)
        case _:
            assert_never(piece)


def _render_card(card: Card) -> Markup:
    value = _fill('<p class="value">{}</p>\n', card.value) if card.value else ""
    return _fill(
        '<div class="card">\n<h3>{}</h3>\n<p class="{}">{}</p>\n{}<p class="note">{}</p>\n</div>',
        card.question,
        "answer good" if card.is_good_news else "answer",
        _render_words(card.answer),
        value,
        _render_words(card.remark),
    )


def _render_cautions(block: Cautions) -> Markup:
    entries = Markup(" · ").join(_render_words(entry) for entry in block.entries)
    return _fill('<p class="cautions"><strong>{}</strong> {}</p>', block.lead, entries)


def _render_choice(block: Choice) -> Markup:
    """All views one below the other; `page.js` makes buttons of their names and shows one."""
    views = []
    for option in block.options:
        pattern = '<div class="view" data-name="{}">\n{}\n</div>'
        views.append(_fill(pattern, option.name, render_html(option.blocks)))
    pattern = '<div class="choice" data-label="{}">\n{}\n</div>'
    return _fill(pattern, block.label, Markup("\n").join(views))


def _render_list(tag: str, style: str, entries: Iterable[str]) -> Markup:
    lines = Markup("\n").join(_fill("<li>{}</li>", entry) for entry in entries)
    return _fill('<{0} class="{1}">\n{2}\n</{0}>', tag, style, lines)


def _render_starred_titles(block: StarredTitles) -> Markup:
    lines = []
    for stars, title in block.entries:
        rating = _render_words((stars, Spoken(" stars: "), Sign(" ★")))
        lines.append(_fill('<li><span class="stars">{}</span> {}</li>', rating, title))
    return _fill('<ul class="titles">\n{}\n</ul>', Markup("\n").join(lines))


def _render_definitions(block: Definitions) -> Markup:
    lines = []
    for entry in block.entries:
        if block.are_long:
            meaning = _fill("<p>{}</p>", entry.meaning)
            note_pattern = '<p class="note">{}</p>'
        else:
            meaning = _escape(entry.meaning)
            note_pattern = ' <span class="note">{}</span>'
        note = _fill(note_pattern, entry.note) if entry.note else ""
        lines.append(_fill("<dt>{}</dt>\n<dd>{}{}</dd>", entry.term, meaning, note))

    return _fill("<dl>\n{}\n</dl>", Markup("\n").join(lines))


def _render_glossary(block: Glossary) -> Markup:
    """Terms with places to link to; `page.js` links where one of their forms occurs."""
    lines = []
    for number, term in enumerate(block.terms, start=1):
        forms = "|".join((term.word, *term.forms))
        pattern = '<dt id="term-{}" data-forms="{}">{}</dt>\n<dd>{}</dd>'
        lines.append(_fill(pattern, number, forms, term.word, term.meaning))
    return _fill('<dl class="glossary">\n{}\n</dl>', Markup("\n").join(lines))


def _render_pairs(block: Pairs) -> Markup:
    lines = []
    for name, value in block.entries:
        pattern = '<tr><th scope="row">{}</th><td class="text">{}</td></tr>'
        lines.append(_fill(pattern, name, _render_words(value)))

    pattern = '<table class="pairs">\n<caption>{}</caption>\n<tbody>\n{}\n</tbody>\n</table>'
    return _enclose(block.caption, _fill(pattern, block.caption, Markup("\n").join(lines)))


def _render_commands(block: Commands) -> Markup:
    """A table like any other; its commands get their buttons from `page.js`."""
    heads = (TableHead("row", "text"), TableHead("command", "command"))
    lines = tuple(
        TableLine(RowName(row), (TableCell(Command(command)),)) for row, command in block.entries
    )
    return _render_table(Table("Commands", block.caption, heads, lines))


def _render_table(table: Table) -> Markup:
    styles = ["lined"]
    if table.has_titles:
        styles.append("titles")

    if table.is_brief:
        styles.append("brief")

    if table.is_sortable:
        styles.append("sortable")

    heads = Markup("").join(_render_head(head) for head in table.heads)
    lines = Markup("\n").join(_render_line(table, line) for line in table.lines)
    content = _fill(
        '<table class="{}">\n<caption>{}</caption>\n<thead>\n<tr>{}</tr>\n</thead>\n'
        "<tbody>\n{}\n</tbody>\n</table>",
        " ".join(styles),
        table.caption,
        heads,
        lines,
    )
    return _enclose(table.label, content)


def _render_head(head: TableHead) -> Markup:
    # What a column holds is a matter of its cells; its head only stands on the same side.
    style = "" if head.content == "number" else ' class="text"'
    if head.higher_is_better:
        style += BEST_FIRST
    if head.is_spare:
        style += SPARE
    small = Markup("").join(_fill("<small>{}</small>", line) for line in head.small)
    pattern = '<th scope="col"{}>{}{}</th>'
    return _fill(pattern, Markup(style), _render_words(head.words), small)


def _render_line(table: Table, line: TableLine | TableRemark) -> Markup:
    if isinstance(line, TableRemark):
        pattern = '<tr><td class="text" colspan="{}">{}</td></tr>'
        return _fill(pattern, len(table.heads), line.text)

    cells = []
    column = 1
    for cell in line.cells:
        cells.append(_render_cell(cell, table.heads[column]))
        column += cell.n_columns if isinstance(cell, FailedCells) else 1

    style = Markup(' class="out"') if line.stands_out else Markup("")
    pattern = '<tr{}><th scope="row">{}</th>{}</tr>'
    return _fill(pattern, style, _render_words(line.head), Markup("").join(cells))


def _render_cell(cell: AnyCell, head: TableHead) -> Markup:
    spare = SPARE if head.is_spare else Markup("")
    match cell:
        case FailedCells():
            pattern = '<td class="failed" colspan="{}"><span>no mean: {}</span></td>'
            return _fill(pattern, cell.n_columns, cell.failure)
        case MissingCell():
            return _fill("<td{}>{}<small>{}</small></td>", spare, NONE, cell.reason)
        case TableCell():
            style = f"{CLASSES[head.content]}{' hit' if cell.is_hit else ''}"
            attributes = _fill(' class="{}"', style) if style else Markup("")
            if cell.sort_value is not None:
                attributes += _fill(' data-value="{}"', cell.sort_value)
            small = _fill("<small>{}</small>", _render_words(cell.small)) if cell.small else ""
            return _fill("<td{}>{}{}</td>", attributes + spare, _render_words(cell.words), small)
        case IntervalCell():
            return _render_interval(cell, spare)
        case _:
            assert_never(cell)


def _render_interval(cell: IntervalCell, attributes: Markup) -> Markup:
    """A bar from the lower to the upper end with a dot at the value, and the ends to be heard."""
    width = (cell.end - cell.start) or 1.0
    places = [100 * (end - cell.start) / width for end in (cell.low, cell.value, cell.high)]
    return _fill(
        '<td class="interval" data-value="{}"{}>{}<i aria-hidden="true" '
        'style="--low: {:.1f}%; --value: {:.1f}%; --high: {:.1f}%"></i></td>',
        cell.value,
        attributes,
        _render_piece(Spoken(cell.text)),
        *places,
    )


def _render_figure(figure: Figure) -> Markup:
    # Markup, since it is the page's own and as long as it is: no text of others, which is cut.
    address = Markup(figure.picture.uri)
    content = _fill(
        '<figure>\n<img src=\'{}\' alt="{}">\n<figcaption class="note">{}</figcaption>\n</figure>',
        address,
        figure.picture.alternative,
        figure.caption,
    )
    if figure.region:
        return _enclose(figure.region, content)
    return content


def _render_heatmap(block: HeatmapTable) -> Markup:
    """The table, one body for each family, and the key to its colours and marks."""
    drawn = block.heatmap
    caption = _escape(block.caption)
    if block.tips:
        caption += _say_on_screen(f"{_explain_tips(block.tips)}; a click on a head sorts.")

    heads = Markup("\n").join(_render_heatmap_head(column) for column in drawn.columns)
    bodies = Markup("\n").join(
        _render_family(drawn, family, lines) for family, lines in drawn.families.items()
    )

    table = _fill(
        '<table class="heat sortable{}">\n<caption>{}</caption>\n<thead>\n<tr>\n'
        '<th scope="col" class="text">row</th>\n{}\n</tr>\n</thead>\n{}\n</table>',
        " noted" if drawn.noted else "",
        caption,
        heads,
        bodies,
    )
    content = _enclose(drawn.title, table) + "\n" + _render_key(drawn)
    if block.is_folded:
        return _fold(drawn.title, content)
    return content


def _say_on_screen(text: str) -> Markup:
    """A sentence on what a reader can do, which paper does not repeat."""
    return _fill(' <span class="on-screen">{}</span>', text)


def _explain_tips(tips: str) -> str:
    return f"Point at a number or go there with the arrow keys for {tips}"


def _render_heatmap_head(column: Column) -> Markup:
    arrow = Markup("")
    if column.arrow:
        arrow = " " + _render_words((Sign(column.arrow), Spoken(f", {column.better}")))
    first = Markup(BEST_FIRST) if column.better.startswith("higher") else Markup("")
    pattern = '<th scope="col"{}>{}<small>{}{}</small></th>'
    return _fill(pattern, first, column.name, column.unit, arrow)


def _render_family(drawn: Heatmap, family: str, lines: Iterable[Line]) -> Markup:
    n_columns = len(drawn.columns)
    pattern = (
        '<tbody>\n<tr><th scope="rowgroup" colspan="{}"><span>{}</span></th></tr>\n{}\n</tbody>'
    )
    body = Markup("\n").join(_render_heatmap_line(line, n_columns) for line in lines)
    return _fill(pattern, n_columns + 1, family, body)


def _render_heatmap_line(line: Line, n_columns: int) -> Markup:
    if line.failure:
        cells = _fill(
            '<td class="failed" colspan="{}" tabindex="0" title="{}"><span>{}</span></td>',
            n_columns,
            line.reason,
            line.failure,
        )
    else:
        cells = Markup("\n").join(_render_square(square) for square in line.squares)

    pattern = '<tr>\n<th scope="row">{}</th>\n{}\n</tr>'
    return _fill(pattern, _render_words(RowName(line.name)), cells)


def _render_square(square: Square) -> Markup:
    """A cell that shows more when it is pointed at, with its colours and its mark."""
    if square.failed:
        pattern = '<td class="failed" tabindex="0" title="{}"><span>{}</span></td>'
        return _fill(pattern, square.tip, square.text)

    attributes = _fill(' tabindex="0" title="{}"', square.tip)
    if square.value is not None:
        attributes += _fill(' data-value="{}"', square.value)

    if square.mark in ("best", "first"):
        attributes += Markup(' class="best"')
    elif square.grey:
        attributes += Markup(' class="grey"')
    elif square.value is None:
        attributes += Markup(' class="none"')

    attributes += _paint(square.colours)

    sign = Markup("")
    if square.sign:
        sign = _render_words((Sign(f"{square.sign.sign} "), Spoken(f"{square.sign.spoken}: ")))

    note = _fill("<small>{}</small>", square.note) if square.note else ""
    return _fill("<td{}>{}{}{}</td>", attributes, sign, square.text, note)


def _paint(colours: tuple[str, str] | None) -> Markup:
    """The attribute that gives a cell its background and the colour of its text; or nothing."""
    if colours is None:
        return Markup("")
    background, text = colours
    return _fill(' style="--c: {}; --t: {}"', background, text)


def _render_key(drawn: Heatmap) -> Markup:
    """What the colours and the marks of a heatmap mean."""
    gradient = ", ".join(colour_key())
    pattern = '<li>best<i style="background: linear-gradient(90deg, {})"></i>worst of the {}</li>'
    entries = [_fill(pattern, gradient, drawn.scale)]
    entries += [_fill("<li>{}</li>", meaning) for meaning in drawn.legend]
    return _fill('<ul class="key note">\n{}\n</ul>', Markup("\n").join(entries))


def _render_matrix(block: MatrixTable) -> Markup:
    """The table of differences; its columns have the numbers of the rows, and names to be heard.

    Each pair stands once, so the best row has no column and the last one no line.
    """
    names = block.matrix.names
    heads = []
    for number, name in enumerate(names[1:], start=2):
        words = _render_words((Sign(str(number)), Spoken(name)))
        heads.append(_fill('<th scope="col">{}</th>', words))

    lines = []
    for number, (name, gaps) in enumerate(zip(names, block.matrix.gaps, strict=True), start=1):
        words = _render_words((Sign(f"{number} "), RowName(name)))
        cells = Markup("").join(_render_gap(gap) for gap in gaps[1:])
        lines.append(_fill('<tr><th scope="row">{}</th>{}</tr>', words, cells))

    table = _fill(
        '<table class="heat matrix">\n<caption>{}</caption>\n<thead><tr>'
        '<th scope="col" class="text">row</th>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>',
        _escape(block.caption) + _say_on_screen(f"{_explain_tips(block.tips)}."),
        Markup("").join(heads),
        Markup("\n").join(lines),
    )
    return _enclose(f"Differences in {block.matrix.column}", table)


def _render_gap(gap: Gap | None) -> Markup:
    """One difference; the diagonal has none, and what stands above it is not said again."""
    if gap is None:
        return Markup('<td class="none"></td>')
    attributes = _fill(' tabindex="0" title="{}"', gap.tip) + _paint(gap.colours)
    return _fill("<td{}>{}</td>", attributes, gap.text)
