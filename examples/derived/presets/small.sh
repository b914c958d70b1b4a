# Real English on two cores: any text, any UD treebank. See the README for the results.
DATA_DIR=${FAIRSEQ_ALIGN_DATA:-../shared/data}
TEXT=${TEXT:-$DATA_DIR/text/en.novels.txt.gz}
TOKENIZED=${TOKENIZED:-$DATA_DIR/text/en.wikitext2.txt.gz}
TRAIN=${TRAIN:-$DATA_DIR/ud/en_ewt-ud-train.conllu.gz}
VALID=${VALID:-$DATA_DIR/ud/en_ewt-ud-dev.conllu.gz}
TEST=${TEST:-$DATA_DIR/ud/en_ewt-ud-test.conllu.gz}
# syntax: English with French nouns and Turkish verbs, by the trees of PARSER (see parser.sh) or those in SYNTAX_TREES
SYNTAX_NOUNS=${SYNTAX_NOUNS-$DATA_DIR/ud/fr_sequoia-ud-train.conllu.gz}
SYNTAX_VERBS=${SYNTAX_VERBS-$DATA_DIR/ud/tr_imst-ud-dev.conllu $DATA_DIR/ud/tr_imst-ud-test.conllu}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm} GRID=${GRID:-transliterate,invert} RATES=${RATES:-0.5 1} SEEDS=${SEEDS:-1 2 3}
VOCABULARY=2000 LAYERS=2 DIM=128 HEADS=4 TOKENS=32 BATCH=32 UPDATES=8000 WARMUP=700 LR=2e-3 DROPOUT=0
EPOCHS=3 TUNE_LR=3e-4 TUNE_BATCH=32
