# The paper (Tang et al. 2022, https://arxiv.org/abs/2211.08547), its 35 models: one GPU, or all that are visible, with
# UPDATE_FREQ = 8 / number of GPUs. Give TEXT or TOKENIZED (Wikipedia there), TRAIN, VALID and TEST (CoNLL-U), FRENCH
# (CoNLL-U: the order of nouns and verbs), PARSER (see parser.sh) or SYNTAX_TREES, and the data of NER and XNLI.
# EXPERIMENTS are those of the authors' scripts, any of:
#   table       four objectives, three derivations, lexicon of 50 %, TLM rate of 25 %: 12 models
#   dictionary  DICT-MLM and ALIGN-MLM with lexicons of 25 and 100 %: 12
#   rate        TLM with a rate of 100 %, of trans + inv also of 1 and 10 %: 5
#   overlap     TLM of languages that share 25 and 50 % of their pieces: 6
# GRID, OBJECTIVES and RATES are those of the table; another has its own, e.g. GRID_overlap.
: "${TRAIN:?CoNLL-U}" "${VALID:?CoNLL-U}" "${TEST:?CoNLL-U}"
TASKS=${TASKS-xnli ner pos}
[[ $TASKS != *ner* ]] || : "${NER_TRAIN:?IOB2, or leave ner out of TASKS}" "${NER_VALID:?IOB2}" "${NER_TEST:?IOB2}"
[[ $TASKS != *xnli* ]] || : "${XNLI_TRAIN:?TSV or JSONL, or leave xnli out of TASKS}" "${XNLI_VALID:?}" "${XNLI_TEST:?}"
EXPERIMENTS=${EXPERIMENTS:-table dictionary rate overlap}
GRID=${GRID:-transliterate transliterate,invert syntax,transliterate}
OBJECTIVES=${OBJECTIVES:-mlm tlm dict_mlm align_mlm} RATES=${RATES:-0.5} SEEDS=${SEEDS:-1} JOBS=${JOBS:-1}
OBJECTIVES_dictionary=${OBJECTIVES_dictionary:-dict_mlm align_mlm} RATES_dictionary=${RATES_dictionary:-0.25 1}
inverted="transliterate,invert TLM_RATE=0.01 transliterate,invert TLM_RATE=0.1 transliterate,invert TLM_RATE=1"
OBJECTIVES_rate=${OBJECTIVES_rate:-tlm}
GRID_rate=${GRID_rate:-transliterate TLM_RATE=1 $inverted syntax,transliterate TLM_RATE=1}
quarter="transliterate OVERLAP=0.25 transliterate,invert OVERLAP=0.25 syntax,transliterate OVERLAP=0.25"
OBJECTIVES_overlap=${OBJECTIVES_overlap:-tlm} GRID_overlap=${GRID_overlap:-$quarter ${quarter//0.25/0.5}}
SYNTAX_NOUNS=${SYNTAX_NOUNS-${FRENCH:?CoNLL-U of French}} SYNTAX_VERBS=${SYNTAX_VERBS-${FRENCH:?CoNLL-U of French}}
VOCABULARY=${VOCABULARY:-40000} LAYERS=${LAYERS:-8} DIM=${DIM:-512} HEADS=${HEADS:-8} TOKENS=${TOKENS:-512}
BATCH=${BATCH:-16} UPDATES=${UPDATES:-500000} WARMUP=${WARMUP:-10000} LR=${LR:-1e-4} DROPOUT=${DROPOUT:-0.1}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.999)} WEIGHT_DECAY=${WEIGHT_DECAY:-0}
TLM_RESTART=${TLM_RESTART-1} TLM_LANGUAGE=${TLM_LANGUAGE-1} DICT_MODE=${DICT_MODE:-authors}
PRETRAIN_FLAGS=${PRETRAIN_FLAGS---fp16 --update-freq ${UPDATE_FREQ:-8} --sample-break-mode complete}
EPOCHS=${EPOCHS:-10} EPOCHS_xnli=${EPOCHS_xnli:-5} XNLI_TOKENS=${XNLI_TOKENS:-128}
TUNE_LR=${TUNE_LR:-2e-5} TUNE_BATCH=${TUNE_BATCH:-32}
