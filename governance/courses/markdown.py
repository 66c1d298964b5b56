"""
Safe Markdown: CommonMark without HTML, with https links only and the course's own pictures only.

The output has only the tags listed below. All other input is text.
"""

from collections.abc import Mapping
from typing import Final

from django.utils.html import format_html, format_html_join
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

PICTURE: Final = "picture:"
_FRAMES: Final = {
    "root": "{}",
    "inline": "{}",
    "paragraph": "<p>{}</p>",
    "bullet_list": "<ul>{}</ul>",
    "ordered_list": "<ol>{}</ol>",
    "list_item": "<li>{}</li>",
    "blockquote": "<blockquote>{}</blockquote>",
    "strong": "<strong>{}</strong>",
    "em": "<em>{}</em>",
}
_LEAVES: Final = {
    "text": "{}",
    "code_inline": "<code>{}</code>",
    "code_block": "<pre><code>{}</code></pre>",
    "fence": "<pre><code>{}</code></pre>",
    # The content of these three is empty.
    "hr": "<hr>{}",
    "hardbreak": "<br>{}",
    "softbreak": "\n{}",
}
_LOWEST: Final = 4


def as_html(text: str, *, pictures: Mapping[str, str]) -> str:
    """
    Safe HTML; headings start one level below the page's own.

    :param pictures: name -> address, used by `![description](picture:name)`.
    """
    return _html(_tree(text), pictures)


def pictures_in(text: str) -> list[str]:
    return [_name(node) for node in _tree(text).walk() if node.type == "image"]


def _tree(text: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(_MARKDOWN.parse(text))


def _name(node: SyntaxTreeNode) -> str:
    return str(node.attrs.get("src", "")).removeprefix(PICTURE)


def _html(node: SyntaxTreeNode, pictures: Mapping[str, str]) -> str:
    if node.type == "image":
        return _picture(node, pictures)
    if node.type in _LEAVES:
        return format_html(_LEAVES[node.type], node.content)
    inside = format_html_join("", "{}", ((_html(child, pictures),) for child in node.children))
    if node.type == "heading":
        return format_html("<h{0}>{1}</h{0}>", min(int(node.tag[1:]) + 1, _LOWEST), inside)
    address = str(node.attrs.get("href", "")) if node.type == "link" else ""
    if address.startswith("https://"):
        return format_html('<a class="link" rel="noreferrer noopener" href="{}">{}</a>', address, inside)
    is_bare = node.type == "link" or (node.type == "paragraph" and node.hidden)
    return format_html("{}" if is_bare else _FRAMES[node.type], inside)


def _picture(node: SyntaxTreeNode, pictures: Mapping[str, str]) -> str:
    name = _name(node)
    if name not in pictures:
        return format_html("<em>[missing picture “{}”]</em>", name)
    return format_html('<img src="{}" alt="{}" loading="lazy">', pictures[name], node.content)


def _is_allowed(url: str) -> bool:
    return url.startswith(("https://", PICTURE))


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).disable(["html_block", "html_inline"])
    made.validateLink = _is_allowed  # type: ignore[method-assign]  # the library's documented hook
    return made


_MARKDOWN: Final = _markdown()
