# The regime in which structure emerges, on two cores: a model that is small for what it learns sees each sentence
# dozens of times (Dufter & Schuetze 2020, https://arxiv.org/abs/2005.00396). Real English, any UD treebank, whose
# sentences of 5 to 20 words are the text, in lower case.
data=${FAIRSEQ_ALIGN_DATA:-../shared/data}
TEXT=${TEXT-} TOKENIZED=${TOKENIZED-}
TRAIN=${TRAIN:-$data/ud/en_ewt-ud-train.conllu.gz}
VALID=${VALID:-$data/ud/en_ewt-ud-dev.conllu.gz}
TEST=${TEST:-$data/ud/en_ewt-ud-test.conllu.gz}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm tlm SEED=1 dict_mlm SEED=1}
GRID=${GRID:-transliterate transliterate,invert} RATES=${RATES:-0.5} SEEDS=${SEEDS:-1 2 3}
MIN_WORDS=${MIN_WORDS:-5} MAX_WORDS=${MAX_WORDS:-20} SPLIT=${SPLIT:-200}
VOCABULARY=${VOCABULARY:-500} SUBWORD_FLAGS=${SUBWORD_FLAGS---lower-case}
LAYERS=${LAYERS:-2} DIM=${DIM:-64} HEADS=${HEADS:-2} TOKENS=${TOKENS:-64}
BATCH=${BATCH:-64} UPDATES=${UPDATES:-7000} WARMUP=${WARMUP:-50} LR=${LR:-2e-3} DROPOUT=${DROPOUT:-0}
VALIDATIONS=${VALIDATIONS:-20} WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}
PRETRAIN_FLAGS=${PRETRAIN_FLAGS---sample-break-mode eos --adam-eps 1e-6}
EPOCHS=${EPOCHS:-3} TUNE_LR=${TUNE_LR:-5e-4} TUNE_BATCH=${TUNE_BATCH:-32}
