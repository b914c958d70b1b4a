# The paper's model on natural languages: one GPU, or all that are visible, with UPDATE_FREQ = 8 / number of GPUs. Give
# the data of SOURCE and TARGETS in the variables of ../prepare.sh: TEXT_en (Wikipedia, say), LEXICON_fr, POS_fr, ...
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
VOCABULARY=80000 LAYERS=8 DIM=512 HEADS=8 TOKENS=512 BATCH=16 UPDATES=500000 WARMUP=10000 LR=1e-4 DROPOUT=0.1
WEIGHT=1   # see small.sh
PRETRAIN_FLAGS="--fp16 --update-freq ${UPDATE_FREQ:-8} --sample-break-mode complete"
TASKS=${TASKS-pos ner xnli}
EPOCHS=10 TUNE_LR=2e-5 TUNE_BATCH=32
JOBS=1
SEEDS=${SEEDS:-1}

cells() {
    local seed objective targets=${TARGETS// /,}
    for seed in $SEEDS; do
        for objective in mlm tlm dict_mlm align_mlm; do echo "$objective $targets SEED=$seed"; done
        echo "align_mlm $targets SEED=$seed ALIGN_LOSS=contrastive VARIANT=contrastive"
    done
}
