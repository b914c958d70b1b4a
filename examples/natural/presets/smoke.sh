# Every step once, on two invented languages: what the tests run. The scores mean nothing.
SOURCE=en TARGETS=fr
TEXT_en=$WORK/toy/en/text.txt TEXT_fr=$WORK/toy/fr/text.txt
POS_en="$WORK/toy/en/train.conllu $WORK/toy/en/valid.conllu $WORK/toy/en/test.conllu"
POS_fr="- - $WORK/toy/fr/test.conllu"
LEXICON_fr=$WORK/toy/words.tsv HELDOUT_fr=$WORK/toy/heldout.tsv
PARALLEL_fr=$WORK/toy/parallel.tsv:1,2 TATOEBA_fr=$WORK/toy/parallel.tsv:1,2
VOCABULARY=400 SPLIT=50 LAYERS=1 DIM=16 HEADS=2 TOKENS=32 BATCH=8 UPDATES=4 LR=1e-3 DROPOUT=0
ALIGN_PAIRS=16 EPOCHS=1 TUNE_LR=1e-3 TUNE_BATCH=32

cells() {
    echo "align_mlm fr ALIGN_LOSS=contrastive VARIANT=contrastive"
    echo "tlm fr TASKS="
}
