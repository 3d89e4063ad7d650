"""The web app behind ``kure-rag app``: upload, ask, and see the passage marked on its page.

It runs on Streamlit rather than Gradio: Streamlit gives each browser tab a session of its own over one shared index,
asks nobody on the network once its statistics and its welcome message are off, and can be driven in tests without a
browser. Both are Apache-2.0; on top of kure-rag with its other extras Streamlit adds 8 packages where Gradio adds 14
and holds Pillow back below version 13.

Only :mod:`kure_rag.app.ui` and :mod:`kure_rag.app.server` know Streamlit; files, drawing, places on the page and what
is shown are free of it.
"""
