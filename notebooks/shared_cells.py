# %% name="colab" tags=["hide-input"]
# On Google Colab alone: unpack the homework's bundle and install what is missing. Elsewhere this does nothing.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and find_spec("hw4") is None:
    import os
    import zipfile
    from pathlib import Path

    bundle = Path("hw4-model-based-rl").resolve()
    if not bundle.is_dir():
        if not Path("student.zip").is_file():
            from google.colab import files

            print("Choose the homework's bundle, student.zip:")
            files.upload()
        zipfile.ZipFile("student.zip").extractall()
    sys.path.insert(0, str(bundle))
    os.chdir(bundle / "notebooks")
    from hw4.commands.colab import install_missing

    install_missing(bundle / "requirements.txt")
