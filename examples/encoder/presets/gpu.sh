# The study of small.sh on one GPU, about ten minutes of it a cell without fine-tuning: all layers, 256 items an update,
# bfloat16. Not run at this size yet.
UPDATES=${UPDATES:-2000} BATCH=${BATCH:-256} TOKENS=${TOKENS:-128} LR=${LR:-2e-4} JOBS=${JOBS:-1}
HEAD_WARMUP=${HEAD_WARMUP:-200} WARMUP=${WARMUP:-200}
gpu="--max-positions 512 --optimizer adamw --layer-lr-decay 0.9 --autocast bf16"
PRETRAIN_FLAGS=${PRETRAIN_FLAGS-$gpu --sparse-embeddings --head-warmup $HEAD_WARMUP --logits-chunk 2048}
EPOCHS=${EPOCHS:-5} TUNE_BATCH=${TUNE_BATCH:-32} TUNE_LR=${TUNE_LR:-1e-4} EPOCHS_xnli=${EPOCHS_xnli:-5}
FINETUNE_FLAGS=${FINETUNE_FLAGS-$gpu}
source "$(dirname "${BASH_SOURCE[0]}")/small.sh"
