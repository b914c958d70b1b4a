# Real English on two cores: any text, any UD treebank. docs/results.md has the results.
data=${FAIRSEQ_ALIGN_DATA:-../shared/data}
TEXT=${TEXT:-$data/text/en.novels.txt.gz}
TOKENIZED=${TOKENIZED:-$data/text/en.wikitext2.txt.gz}
TRAIN=${TRAIN:-$data/ud/en_ewt-ud-train.conllu.gz}
VALID=${VALID:-$data/ud/en_ewt-ud-dev.conllu.gz}
TEST=${TEST:-$data/ud/en_ewt-ud-test.conllu.gz}
# syntax: English with French nouns and Turkish verbs, by the trees of PARSER (see parser.sh) or those in SYNTAX_TREES
SYNTAX_NOUNS=${SYNTAX_NOUNS-$data/ud/fr_sequoia-ud-train.conllu.gz}
SYNTAX_VERBS=${SYNTAX_VERBS-$data/ud/tr_imst-ud-dev.conllu $data/ud/tr_imst-ud-test.conllu}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm} GRID=${GRID:-transliterate,invert} RATES=${RATES:-0.5 1} SEEDS=${SEEDS:-1 2 3}
VOCABULARY=${VOCABULARY:-2000} LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4} TOKENS=${TOKENS:-32}
BATCH=${BATCH:-32} UPDATES=${UPDATES:-8000} WARMUP=${WARMUP:-700} LR=${LR:-2e-3} DROPOUT=${DROPOUT:-0}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.98)} WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}   # unlike the paper
EPOCHS=${EPOCHS:-3} TUNE_LR=${TUNE_LR:-3e-4} TUNE_BATCH=${TUNE_BATCH:-32}
