# Every step once, on almost nothing: what the tests run. The scores mean nothing.
TEXT=$WORK/toy/text.txt TOKENIZED=
TRAIN=$WORK/toy/train.conllu VALID=$WORK/toy/valid.conllu TEST=$WORK/toy/test.conllu
OBJECTIVES="mlm tlm dict_mlm align_mlm" GRID="transliterate,invert" RATES="0.5" SEEDS="1"
VOCABULARY=400 LAYERS=1 DIM=16 HEADS=2 TOKENS=32 BATCH=8 UPDATES=4 LR=1e-3 DROPOUT=0
EPOCHS=1 TUNE_LR=1e-3 TUNE_BATCH=32
