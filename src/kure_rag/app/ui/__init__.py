"""What Streamlit shows: the only modules that import it. They hold no logic."""
