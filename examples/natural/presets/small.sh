# English and French on two cores: novels, FreeDict and xling-eval, UD; see the README for the results.
DATA_DIR=${FAIRSEQ_ALIGN_DATA:-../shared/data}
SOURCE=en TARGETS=${TARGETS:-fr}
TEXT_en=$DATA_DIR/text/en.novels.txt.gz TOKENIZED_en=$DATA_DIR/text/en.wikitext2.txt.gz
TEXT_fr=$DATA_DIR/text/fr.novels.txt.gz
TEXT_ar=$DATA_DIR/text/ar.hindawi.txt.gz
TEXT_hi="$DATA_DIR/text/hi.wikipedia-mlqa.txt $DATA_DIR/text/hi.libreoffice-help.txt"
POS_en="$DATA_DIR/ud/en_ewt-ud-train.conllu.gz $DATA_DIR/ud/en_ewt-ud-dev.conllu.gz $DATA_DIR/ud/en_ewt-ud-test.conllu.gz"
POS_fr="- - $DATA_DIR/ud/fr_sequoia-ud-test.conllu"
POS_ar="- - $DATA_DIR/ud/ar_padt-udpos-test.conllu"
POS_hi="- - $DATA_DIR/ud/hi_hdtb-udpos-test.conllu"
LEXICON_fr="$DATA_DIR/dictionaries/en-fr.freedict.train.txt $DATA_DIR/dictionaries/en-fr.xling.train.txt"
HELDOUT_fr=$DATA_DIR/dictionaries/en-fr.freedict.test.txt
LEXICON_ar=$DATA_DIR/dictionaries/en-ar.freedict.train.txt HELDOUT_ar=$DATA_DIR/dictionaries/en-ar.freedict.test.txt
LEXICON_hi=$DATA_DIR/dictionaries/en-hi.muse.train.txt HELDOUT_hi=$DATA_DIR/dictionaries/en-hi.muse.test.txt
PARALLEL_fr="$DATA_DIR/parallel/quran.en-fr-ar.tsv.gz:1,2 $DATA_DIR/parallel/libreoffice-help.en-fr.tsv:1,2"
PARALLEL_ar="$DATA_DIR/parallel/quran.en-fr-ar.tsv.gz:1,3 $DATA_DIR/parallel/libreoffice-ui.en-ar.tsv:1,2"
PARALLEL_hi=$DATA_DIR/parallel/libreoffice-help.en-hi.tsv:1,2
TATOEBA_fr=$DATA_DIR/parallel/tatoeba.en-fr.tsv:1,2
TATOEBA_ar=$DATA_DIR/parallel/tatoeba.en-ar.tsv:1,2
TATOEBA_hi=$DATA_DIR/parallel/tatoeba.en-hi.tsv:1,2
VOCABULARY=8000 LAYERS=2 DIM=128 HEADS=4 TOKENS=32 BATCH=32 UPDATES=8000 WARMUP=700 LR=2e-3 DROPOUT=0
WEIGHT=1   # of the alignment loss; with the 10 of the paper, whose dictionaries are one to one, the model learns no language
EPOCHS=3 TUNE_LR=3e-4 TUNE_BATCH=32
SEEDS=${SEEDS:-1 2 3}

cells() {
    local seed targets=${TARGETS// /,}
    for seed in $SEEDS; do
        echo "mlm $targets SEED=$seed"
        echo "align_mlm $targets SEED=$seed"
        echo "align_mlm $targets SEED=$seed ALIGN_LOSS=contrastive VARIANT=contrastive"
    done
    echo "tlm $targets"
    echo "dict_mlm $targets"
    echo "align_mlm $targets WEIGHT=10 VARIANT=weight-10"
}
