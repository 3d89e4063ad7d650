"""What Streamlit runs for each click; its folder holds nothing else, since Streamlit puts it on the import path."""

from kure_rag.leaderboard.ui.page import show

show()
