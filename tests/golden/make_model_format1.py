"""Make model_format1/ with the last version that wrote models of format 1 (commit d712ac1): a model and its answers."""

import json
from pathlib import Path

from survlspin import CoxLLSPIN
from survlspin.testing.estimators import patients

HERE = Path(__file__).parent / "model_format1"

if __name__ == "__main__":
    X, y = patients()
    model = CoxLLSPIN(lam=0.02, epochs=2, members=2, random_state=0, hidden=()).fit(X, y)
    model.save(HERE / "model", overwrite=True)
    (HERE / "expected.json").write_text(json.dumps(model.predict(X).tolist()) + "\n")
