# What the studies share; sourced by their recipes. $WORK is the folder of the study, $CELL that of one of its models.
COMMON=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PREPROCESS=$COMMON/../preprocess

binarize() {                         # TEXT DATA SPLIT...: tokenised TEXT/SPLIT.txt -> DATA/SPLIT.{bin,idx}
    [ ! -e "$2" ] || return 0
    local split files=()
    for split in "${@:3}"; do
        python "$PREPROCESS/subword.py" apply --model "$WORK/spm/spm.model" --input "$1/$split.txt" --output "$1/$split.sp"
        files+=("--${split}pref" "$1/$split.sp")
    done
    fairseq-preprocess --only-source --srcdict "$WORK/spm/dict.txt" --workers "${WORKERS:-2}" "${files[@]}" --destdir "$2.part"
    mv "$2.part" "$2"
}

step() {                             # NAME COMMAND...: the command, once; its scores, $CELL/NAME.jsonl, say that it is done
    [ ! -e "$CELL/$1.jsonl" ] || return 0
    scores=$CELL/$1.jsonl.part
    rm -f "$scores"
    "${@:2}"
    cat "$scores" >> "$WORK/results.jsonl"
    mv "$scores" "$CELL/$1.jsonl"
}

score() {                            # COMMAND...: of fairseq-align, with what is to stand beside the scores
    fairseq-align "$@" "${about[@]}" --results "$scores"
}

finetune() {                         # TASK LANGUAGE SUBSETS [--freeze-embeddings]
    local tuned=$CELL/$1-$2${4-} data=$WORK/$1-bin
    TASK=$1 TUNE_DATA=$data SOURCE=$2 FREEZE=${4-} SAVE=$tuned bash "$COMMON/derived/finetune.sh" ${FINETUNE_FLAGS-}
    score evaluate "$tuned/model.pt" "$data" --subset "$3"
}
