# Every step once, on almost nothing: what the tests run. The scores mean nothing.
TEXT=${TEXT:-$WORK/toy/text.txt} TOKENIZED=${TOKENIZED-}
TRAIN=${TRAIN:-$WORK/toy/train.conllu} VALID=${VALID:-$WORK/toy/valid.conllu} TEST=${TEST:-$WORK/toy/test.conllu}
OBJECTIVES=${OBJECTIVES:-mlm tlm dict_mlm align_mlm} GRID=${GRID:-transliterate,invert}
RATES=${RATES:-0.5} SEEDS=${SEEDS:-1}
VOCABULARY=${VOCABULARY:-400} LAYERS=${LAYERS:-1} DIM=${DIM:-16} HEADS=${HEADS:-2} TOKENS=${TOKENS:-32}
BATCH=${BATCH:-8} UPDATES=${UPDATES:-4} LR=${LR:-1e-3} DROPOUT=${DROPOUT:-0} VALIDATIONS=${VALIDATIONS:-1}
EPOCHS=${EPOCHS:-1} TUNE_LR=${TUNE_LR:-1e-3} TUNE_BATCH=${TUNE_BATCH:-32}
