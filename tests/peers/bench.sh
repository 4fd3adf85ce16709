#!/bin/sh
# make bench-peers: groklab and the peers by turns on this machine; see bench.py. Without Python or NumPy there is
# nothing to compare with, which is said and is no failure; without PyTorch only the RFM is compared.
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    echo "bench-peers: skipped, there is no $python"
elif ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "bench-peers: skipped, $python has no numpy"
else
    exec "$python" "$(dirname "$0")/bench.py" "$@"
fi
