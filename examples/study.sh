# What the studies share; sourced by their recipes. $WORK is the folder of the study, $CELL that of one of its models,
# the array `about` what is recorded beside the scores of that model.

binarize() {                         # TEXT DATA SPLIT...: tokenised TEXT/SPLIT.txt -> DATA/SPLIT.{bin,idx}
    [ ! -e "$2" ] || return 0
    local split files=()
    for split in "${@:3}"; do
        python "$PREPROCESS/subword.py" apply --model "$WORK/spm/spm.model" \
            --input "$1/$split.txt" --output "$1/$split.sp"
        files+=("--${split}pref" "$1/$split.sp")
    done
    fairseq-preprocess --only-source --srcdict "$WORK/spm/dict.txt" --workers "${WORKERS:-2}" "${files[@]}" \
        --destdir "$2.part"
    mv "$2.part" "$2"
}

derived_language() {                 # TRANSFORMS, e.g. transliterate,invert: its name, en-transliterate+invert
    local name=$SOURCE-${1//,/+}
    [ "${OVERLAP:-0}" = 0 ] || name+=-overlap$OVERLAP
    echo "$name"
}

labelled_source() {                  # TASK TARGET: the language whose labelled data those of TARGET are derived from
    local lang=$SOURCE made
    if [[ $2 = "$SOURCE-syntax+"* ]]; then
        lang=$SOURCE-syntax made=$WORK/ner-bin/$lang/test.idx
        [ "$1" != xnli ] || made=$WORK/xnli-bin/label/test_$lang.idx
        [ -e "$made" ] || fail "$made: found no ${1^^} data in the word order of $lang, expected them for $2: nothing" \
            "gives trees to reorder them by; make them with --lang $lang, or leave ${1^^} or this derivation out"
    fi
    echo "$lang"
}

step() {                             # NAME COMMAND...: the command, once; its scores, $CELL/NAME.jsonl, mark it as done
    [ ! -e "$CELL/$1.jsonl" ] || return 0
    scores=$CELL/$1.jsonl.part
    mkdir -p "$CELL"
    rm -f "$scores"
    "${@:2}"
    [ -n "$DRY_RUN" ] || cat "$scores" >> "$WORK/results.jsonl"
    mv "$scores" "$CELL/$1.jsonl"
}

score() {                            # COMMAND...: of fairseq-align, inside a step
    fairseq-align "$@" "${about[@]}" --results "$scores"
}

finetune() {                         # TASK LANGUAGE SUBSETS [--freeze-embeddings]
    local tuned=$CELL/$1-$2${4-} data=$WORK/$1-bin
    TASK=$1 TUNE_DATA=$data SOURCE=$2 FREEZE=${4-} SAVE=$tuned bash "$EXAMPLES/derived/finetune.sh"
    score evaluate "$tuned/model.pt" "$data" --subset "$3"
}
