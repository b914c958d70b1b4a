# One GPU: 64 items an update, a tenth of the updates, a quarter of the learning rate; the rest as in field.sh.
BATCH=${BATCH:-8} UPDATE_FREQ=${UPDATE_FREQ:-8}
UPDATES=${UPDATES:-20000} WARMUP=${WARMUP:-2000} LR=${LR:-5e-5}
source "$(dirname "${BASH_SOURCE[0]}")/field.sh"
