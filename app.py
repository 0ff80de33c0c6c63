"""GenoMap Studio: ``streamlit run app.py``."""

from pages._ui import shell

shell.run()
