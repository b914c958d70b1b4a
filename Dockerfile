# The environment that install.sh makes, with this clone in /fairseq_align; docs/installation.md has the commands.
# Python 3.12 has a wheel of fairseq-fixed: no compiler is needed.
FROM python:3.12-slim
ENV VIRTUAL_ENV=/opt/env PATH=/opt/env/bin:$PATH
RUN python -m venv /opt/env
# Flags of pip for torch: those that pytorch's instructions give for its CPU build; none: the one for GPUs
ARG TORCH_FLAGS=
RUN pip install --no-cache-dir torch==2.13.0 $TORCH_FLAGS
WORKDIR /fairseq_align
COPY . .
RUN PIP_NO_CACHE_DIR=1 bash install.sh && fairseq-align doctor
CMD ["fairseq-align", "--help"]
