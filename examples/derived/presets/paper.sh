# The settings of the paper (Tang et al. 2022, https://arxiv.org/abs/2211.08547): one GPU, or all that are visible, with
# UPDATE_FREQ = 8 / number of GPUs. Give TEXT or TOKENIZED (Wikipedia there), TRAIN, VALID and TEST (CoNLL-U).
: "${TRAIN:?CoNLL-U}" "${VALID:?CoNLL-U}" "${TEST:?CoNLL-U}"
OBJECTIVES="mlm tlm dict_mlm align_mlm" GRID="transliterate transliterate,invert" RATES="0.5" SEEDS="1"
JOBS=1
VOCABULARY=40000 LAYERS=8 DIM=512 HEADS=8 TOKENS=512 BATCH=16 UPDATES=500000 WARMUP=10000 LR=1e-4 DROPOUT=0.1
PRETRAIN_FLAGS="--fp16 --update-freq ${UPDATE_FREQ:-8} --sample-break-mode complete"
EPOCHS=10 TUNE_LR=2e-5 TUNE_BATCH=32
