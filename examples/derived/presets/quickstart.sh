# The toy language of examples/toy_language.py, in a few minutes on two cores.
TEXT=$WORK/toy/text.txt TOKENIZED=
TRAIN=$WORK/toy/train.conllu VALID=$WORK/toy/valid.conllu TEST=$WORK/toy/test.conllu
GRID="transliterate,invert" RATES="0.5" SEEDS="1"
VOCABULARY=1000 LAYERS=2 DIM=64 HEADS=2 TOKENS=32 BATCH=32 UPDATES=2500 LR=3e-3 DROPOUT=0
EPOCHS=10 TUNE_LR=1e-3 TUNE_BATCH=32
