# The settings of the paper (Tang et al. 2022, https://arxiv.org/abs/2211.08547): one GPU, or all that are visible, with
# UPDATE_FREQ = 8 / number of GPUs. Give TEXT or TOKENIZED (Wikipedia there), TRAIN, VALID and TEST (CoNLL-U).
: "${TRAIN:?CoNLL-U}" "${VALID:?CoNLL-U}" "${TEST:?CoNLL-U}"
OBJECTIVES=${OBJECTIVES:-mlm tlm dict_mlm align_mlm} GRID=${GRID:-transliterate transliterate,invert}
RATES=${RATES:-0.5} SEEDS=${SEEDS:-1} JOBS=${JOBS:-1}
VOCABULARY=${VOCABULARY:-40000} LAYERS=${LAYERS:-8} DIM=${DIM:-512} HEADS=${HEADS:-8} TOKENS=${TOKENS:-512}
BATCH=${BATCH:-16} UPDATES=${UPDATES:-500000} WARMUP=${WARMUP:-10000} LR=${LR:-1e-4} DROPOUT=${DROPOUT:-0.1}
PRETRAIN_FLAGS=${PRETRAIN_FLAGS---fp16 --update-freq ${UPDATE_FREQ:-8} --sample-break-mode complete}
EPOCHS=${EPOCHS:-10} EPOCHS_xnli=${EPOCHS_xnli:-5} XNLI_TOKENS=${XNLI_TOKENS:-128}
TUNE_LR=${TUNE_LR:-2e-5} TUNE_BATCH=${TUNE_BATCH:-32}
