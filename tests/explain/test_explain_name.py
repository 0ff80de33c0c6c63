"""The stable name ``explain`` is the same function however the package came to be imported."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "before", ["", "import genomap_core.explain", "from genomap_core.explain import METHODS", "genomap_core.explain"]
)
def test_the_name_can_be_called_whatever_was_imported_before(before):
    code = (
        f"import genomap_core\n{before}\nfrom genomap_core import explain\nfrom genomap_core.errors import InputError\n"
        "import numpy as np\n"
        "try: explain(object(), np.zeros(3), method='none such')\n"
        "except InputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "got 'none such'" in done.stdout
