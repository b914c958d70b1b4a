# Your own text, dictionary and treebank on two cores, docs/walk.md: give TEXT_en TEXT_fr LEXICON_fr POS_en POS_fr, or
# those of other languages. A tenth of the dictionary is held out.
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
GRID=${GRID:-${TARGETS// /,}} SEEDS=${SEEDS:-1}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive}
LEXICON_FLAGS=${LEXICON_FLAGS---lower --heldout-rate 0.1} WEIGHT=${WEIGHT:-1}   # see small.sh
VOCABULARY=${VOCABULARY:-8000} LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4} TOKENS=${TOKENS:-32}
BATCH=${BATCH:-32} UPDATES=${UPDATES:-8000} LR=${LR:-2e-3} DROPOUT=${DROPOUT:-0}
EPOCHS=${EPOCHS:-3} TUNE_LR=${TUNE_LR:-3e-4} TUNE_BATCH=${TUNE_BATCH:-32}
