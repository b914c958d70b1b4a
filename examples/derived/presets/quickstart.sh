# The toy language of examples/toy_language.py, in a few minutes on two cores.
TEXT=${TEXT:-$WORK/toy/text.txt} TOKENIZED=${TOKENIZED-}
TRAIN=${TRAIN:-$WORK/toy/train.conllu} VALID=${VALID:-$WORK/toy/valid.conllu} TEST=${TEST:-$WORK/toy/test.conllu}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm} GRID=${GRID:-transliterate,invert} RATES=${RATES:-0.5 1} SEEDS=${SEEDS:-1}
JOBS=${JOBS:-3}   # all cells at once: of two on two cores the third would be left to run alone
VOCABULARY=${VOCABULARY:-1000} LAYERS=${LAYERS:-2} DIM=${DIM:-64} HEADS=${HEADS:-2} TOKENS=${TOKENS:-64}
BATCH=${BATCH:-64} UPDATES=${UPDATES:-3000} LR=${LR:-3e-3} DROPOUT=${DROPOUT:-0}
PRETRAIN_FLAGS=${PRETRAIN_FLAGS---sample-break-mode eos}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.98)} WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}   # unlike the paper
EPOCHS=${EPOCHS:-5} TUNE_LR=${TUNE_LR:-5e-4} TUNE_BATCH=${TUNE_BATCH:-32}
