# Every step once, on two invented languages: what the tests run. The scores mean nothing.
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr} toy=$WORK/toy
TEXT_en=${TEXT_en:-$toy/en/text.txt} TEXT_fr=${TEXT_fr:-$toy/fr/text.txt}
POS_en=${POS_en:-$toy/en/train.conllu $toy/en/valid.conllu $toy/en/test.conllu}
POS_fr=${POS_fr:-- - $toy/fr/test.conllu}
LEXICON_fr=${LEXICON_fr:-$toy/words.tsv} HELDOUT_fr=${HELDOUT_fr:-$toy/heldout.tsv}
PARALLEL_fr=${PARALLEL_fr:-$toy/parallel.tsv:1,2} TATOEBA_fr=${TATOEBA_fr:-$toy/parallel.tsv:1,2}
GRID=${GRID:-${TARGETS// /,}} SEEDS=${SEEDS:-1}
terms="ALIGN_LOSS=contrastive CODE_SWITCH=0.1 REALIGN=1 SELF_LEARN=0.5 PRETRAIN_FLAGS=--self-learn-every=2"
OBJECTIVES=${OBJECTIVES:-align_mlm+tlm $terms VARIANT=terms tlm TASKS=}
VOCABULARY=${VOCABULARY:-400} SPLIT=${SPLIT:-50}
LAYERS=${LAYERS:-1} DIM=${DIM:-16} HEADS=${HEADS:-2} TOKENS=${TOKENS:-32} VALIDATIONS=${VALIDATIONS:-1}
BATCH=${BATCH:-8} UPDATES=${UPDATES:-4} LR=${LR:-1e-3} DROPOUT=${DROPOUT:-0} ALIGN_PAIRS=${ALIGN_PAIRS:-16}
EPOCHS=${EPOCHS:-1} TUNE_LR=${TUNE_LR:-1e-3} TUNE_BATCH=${TUNE_BATCH:-32}
