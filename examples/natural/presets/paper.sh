# The paper's model on natural languages: one GPU, or all that are visible, with UPDATE_FREQ = 8 / number of GPUs. Give
# the data of SOURCE and TARGETS in the variables of ../prepare.sh: TEXT_en (Wikipedia, say), LEXICON_fr, POS_fr, ...
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
GRID=${GRID:-${TARGETS// /,}} SEEDS=${SEEDS:-1} JOBS=${JOBS:-1}
OBJECTIVES=${OBJECTIVES:-mlm tlm dict_mlm align_mlm align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive}
WEIGHT=${WEIGHT:-1}   # see small.sh
VOCABULARY=${VOCABULARY:-80000} LAYERS=${LAYERS:-8} DIM=${DIM:-512} HEADS=${HEADS:-8} TOKENS=${TOKENS:-512}
BATCH=${BATCH:-16} UPDATES=${UPDATES:-500000} WARMUP=${WARMUP:-10000} LR=${LR:-1e-4} DROPOUT=${DROPOUT:-0.1}
PRETRAIN_FLAGS=${PRETRAIN_FLAGS---fp16 --update-freq ${UPDATE_FREQ:-8} --sample-break-mode complete}
TASKS=${TASKS-pos ner xnli} EPOCHS=${EPOCHS:-10} EPOCHS_xnli=${EPOCHS_xnli:-5} XNLI_TOKENS=${XNLI_TOKENS:-128}
TUNE_LR=${TUNE_LR:-2e-5} TUNE_BATCH=${TUNE_BATCH:-32}
