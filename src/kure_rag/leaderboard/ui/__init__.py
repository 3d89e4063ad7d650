"""The page, in Streamlit."""
