"""How the page looks: a style sheet over Streamlit's own.

Narrow windows put one column under the other; there the page of a passage stands as a sheet at the lower edge, or a
click on a citation would change nothing that is in sight. Streamlit's uploader speaks English only: its few words are
exchanged here, and a file over the limit, which it never sends, says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final


def page_style(words: Mapping[str, str], megabytes: int) -> str:
    """The style sheet as HTML.

    Args:
        words: What the page says.
        megabytes: Of one upload, at most.
    """
    said = {
        "choose": words["uploader_choose"],
        "limit": words["uploader_limit"],
        "too_large": words["uploader_too_large"],
    }
    strings = {name: text.format(megabytes=megabytes) for name, text in said.items()}
    return _STYLE % {name: json.dumps(text, ensure_ascii=False) for name, text in strings.items()}


_STYLE: Final = """
<style>
[data-testid="stMainBlockContainer"] {padding: 2.2rem 2.2rem 2rem; max-width: 1600px;}
[data-testid="stSidebarHeader"] {height: 1.6rem; margin: 0; padding: .3rem 1rem 0;}
[data-testid="InputInstructions"] {display: none;}
[data-testid="stMain"] [data-testid="stVerticalBlock"] {gap: .6rem;}
.st-key-results button p, .st-key-chat button p {text-align: left;}
.st-key-results button p {font-weight: 600;}
.st-key-results button, .st-key-chat [class*="st-key-source"] button {color: #1f5fbf;}
.st-key-chat button p {font-size: .84rem;}
.st-key-chat [class*="st-key-source"] button {min-height: 0; padding: .1rem 0;}
.st-key-chat [data-testid="stChatMessage"] [data-testid="stVerticalBlock"] {gap: .15rem;}
.kure-passage {border-left: 3px solid #d5dbe5; padding: .1rem 0 .1rem .8rem; margin-bottom: .5rem;}
.kure-passage.kure-chosen {border-left-color: #1f5fbf;}
.kure-text {white-space: pre-line; font-size: .92rem; line-height: 1.6; color: #2b3340; max-height: 6.4em;
  overflow: hidden; overflow-wrap: anywhere;}
.kure-chosen .kure-text {max-height: 26em; overflow: auto;}
.kure-text table {border-collapse: collapse; font-size: .84rem; line-height: 1.45; white-space: normal;
  margin: .3rem 0;}
.kure-text td {border: 1px solid #dfe4ec; padding: .1rem .45rem; word-break: keep-all;}
.kure-text tr:first-child td {background: #f4f6fa; font-weight: 600;}
.kure-text mark {background: #fff0b3; color: inherit; padding: 0 1px; border-radius: 2px;}
.kure-chips {display: flex; flex-wrap: wrap; gap: .35rem; margin-top: .45rem;}
.kure-chip {font-size: .76rem; padding: .1rem .5rem; border-radius: 999px; background: #eef1f6; color: #46505f;}
.kure-chip.kure-lexical {background: #e6f4ea; color: #1d6b3a;}
.kure-chip.kure-dense {background: #e8eefc; color: #27509b;}
.kure-chip.kure-rerank {background: #f6eafc; color: #6d2f94;}
.kure-title {font-size: 1.5rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere;}
.kure-place {text-align: center; overflow-wrap: anywhere;}
.kure-step {font-size: .875rem; overflow-wrap: anywhere;}
.kure-page {position: relative; border: 1px solid #d5dbe5; box-shadow: 0 2px 10px rgba(20, 30, 50, .10);
  background: #fff; line-height: 0;}
.kure-page img {width: 100%%; height: auto; display: block;}
.kure-mark {position: absolute; background: rgba(255, 213, 0, .42); mix-blend-mode: multiply; border-radius: 2px;
  outline: 1px solid rgba(214, 158, 0, .55);}
.kure-source {white-space: pre-line; font-size: .9rem; line-height: 1.7; border: 1px solid #d5dbe5; padding: 1rem;
  max-height: 70vh; overflow: auto; overflow-wrap: anywhere;}
.kure-source mark {background: #ffe98a;}
.kure-rows {font-size: .84rem; line-height: 1.55; overflow-wrap: anywhere;}
.kure-rows .kure-bad {color: #a3261b;}
.kure-rows .kure-good {color: #1d6b3a;}
.kure-rows > div + div {margin-top: .4rem;}
.kure-detail {color: #6b7482; font-size: .8rem; line-height: 1.5; overflow-wrap: anywhere;}
.kure-answer {white-space: pre-line; line-height: 1.65; overflow-wrap: anywhere;}
.kure-cited {color: #1f5fbf; font-weight: 600; font-size: .85em; padding: 0 1px;}
[data-testid="stLayoutWrapper"]:has(> .st-key-viewer) {position: sticky; top: 2.2rem;}
[data-testid="stApp"]:has([data-testid="stExpandSidebarButton"]) [data-testid="stMainBlockContainer"] {
  padding-top: 3.9rem;}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] {padding: 3.9rem 1rem 1rem;}
  [data-testid="stColumn"]:has(.st-key-viewer .kure-page), [data-testid="stColumn"]:has(.st-key-viewer .kure-source) {
    position: sticky; bottom: 0; max-height: 50vh; overflow: auto; z-index: 9; background: #fff;
    margin: 0 -1rem; padding: .5rem 1rem 0; width: calc(100%% + 2rem); box-shadow: 0 -3px 12px rgba(20, 30, 50, .18);}
  .st-key-viewer .kure-mark:first-of-type, .st-key-viewer .kure-source mark {
    scroll-initial-target: nearest; scroll-margin-top: 4rem;}
  .st-key-viewer [data-testid="stHorizontalBlock"] {flex-wrap: nowrap; gap: .4rem;}
  .st-key-viewer [data-testid="stHorizontalBlock"] [data-testid="stColumn"] {min-width: 0;}
  .st-key-viewer [data-testid="stHorizontalBlock"] button {padding: .2rem; font-size: .8rem;}
}
.st-key-files [data-testid="stFileUploaderDropzone"] [data-testid="stMarkdownContainer"] p,
.st-key-files [data-testid="stFileUploaderDropzoneInstructions"] span {font-size: 0;}
.st-key-files [data-testid="stFileUploaderDropzone"] [data-testid="stMarkdownContainer"] p::after,
.st-key-files [data-testid="stFileUploaderDropzoneInstructions"] span::after {font-size: .875rem;}
.st-key-files [data-testid="stFileUploaderDropzone"] [data-testid="stMarkdownContainer"] p::after {
  content: %(choose)s;}
.st-key-files [data-testid="stFileUploaderDropzoneInstructions"] span::after {content: %(limit)s;}
.st-key-files [data-testid="stFileChip"][aria-invalid="true"] {flex-wrap: wrap; height: auto;}
.st-key-files [data-testid="stFileChip"][aria-invalid="true"]::after {content: %(too_large)s; flex: 1 0 100%%;
  font-size: .8rem; color: #a3261b;}
</style>
"""
