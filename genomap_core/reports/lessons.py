"""The lessons on paper and in a file: the teacher's notes, and one lesson that opens from a file without the app."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.reports.document import Block, Document, Heading, Text
from genomap_core.workflows.lessons.course import Chapter

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def teachers_notes(chapters: Sequence[Chapter]) -> Document:
    """Every lesson: question, answer, control, surprise, and what to ask next; to be printed."""
    minutes = sum(chapter.minutes for chapter in chapters)
    blocks: list[Block] = [
        Text(
            f"{len(chapters)} lessons, {minutes} minutes. Let everybody choose an answer before it is revealed: a "
            "prediction that fails is remembered. The link of a lesson ends in lesson= and the word in brackets."
        )
    ]
    for number, chapter in enumerate(chapters, 1):
        blocks += [
            Heading(f"{number}. {chapter.title} ({chapter.key}), {chapter.minutes} minutes"),
            Text(chapter.told),
            Text(f"{chapter.question} ({' / '.join(chapter.options)})", lead="Predict:"),
            Text(chapter.reveal, lead="Reveal:"),
            Text(chapter.control, lead="Control:"),
            Text(chapter.surprise, lead="Surprise:"),
            Text(chapter.ask, lead="Ask:"),
        ]
    return Document("Teacher's notes", tuple(blocks))


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>body{{font:17px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#14161a}}
summary{{cursor:pointer;font-weight:600;padding:.5rem 0}}footer{{margin-top:2rem;color:#555963}}</style>
<main><h1>{title}</h1><p>{told}</p><p><strong>{question}</strong></p><ul>{options}</ul>
<details><summary>I have chosen: reveal</summary><p>{reveal}</p><p><b>Control.</b> {control}</p>
<p><b>Surprise.</b> {surprise}</p></details>
{figures}</main><footer>{research}</footer></html>
"""


def lesson_page(chapter: Chapter, figures: Sequence[Figure]) -> str:
    """One HTML file with the lesson and its figures, which stay interactive; nothing is fetched."""
    from plotly.io import to_html

    drawn = [
        to_html(figure, full_html=False, include_plotlyjs=k == 0, config={"displaylogo": False}, auto_play=False)
        for k, figure in enumerate(figures)
    ]
    said = ("title", "told", "question", "reveal", "control", "surprise")
    words = {key: escape(getattr(chapter, key)) for key in said}
    options = "".join(f"<li>{escape(option)}</li>" for option in chapter.options)
    return _PAGE.format(options=options, figures="\n".join(drawn), research=escape(RESEARCH_USE), **words)
