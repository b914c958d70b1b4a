# The toy language of examples/toy_language.py, in a few minutes on two cores.
TEXT=$WORK/toy/text.txt TOKENIZED=
TRAIN=$WORK/toy/train.conllu VALID=$WORK/toy/valid.conllu TEST=$WORK/toy/test.conllu
OBJECTIVES="mlm align_mlm" GRID="transliterate,invert" RATES="0.5 1" SEEDS="1"
JOBS=${JOBS:-3}   # all cells at once: of two on two cores the third would be left to run alone
VOCABULARY=1000 LAYERS=2 DIM=64 HEADS=2 TOKENS=64 BATCH=64 UPDATES=3000 LR=3e-3 DROPOUT=0
PRETRAIN_FLAGS="--sample-break-mode eos"
EPOCHS=5 TUNE_LR=5e-4 TUNE_BATCH=32
