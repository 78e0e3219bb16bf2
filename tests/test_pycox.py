"""Importing pycox through us leaves its own folder alone."""

import os
import subprocess
import sys


def test_pycox_makes_its_folder_in_the_users_cache(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYCOX_DATA_DIR"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path)}
    code = "import sys, survlspin; assert 'pycox' not in sys.modules; import survlspin.models, pycox"
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "survlspin" / "pycox").is_dir()
