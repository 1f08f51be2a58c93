# syntax=docker/dockerfile:1
# check=skip=all
# A comment of its own

ARG VERSION=3.12 SUFFIX
ARG	TABBED=1
FROM scratch
FROM --platform=$BUILDPLATFORM python:${VERSION}-slim${SUFFIX:+-$SUFFIX} AS Build
LABEL org.example.one="a b" two=2 "three"="3" four='it is' five=a\ b
LABEL legacy some   words here
MAINTAINER Somebody <some@example.org>
ENV A=1 B="2 $A" C='3' D=a\ b \
    E=5
ENV LEGACY  the rest of the line "with quotes"
ARG NAME ANOTHER=x THIRD="a b"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN echo shell form && \
    # a comment within

    echo after
RUN ["echo", "exec form", "with \"quotes\" and \u00e9"]
RUN [ "not json', 'mixed" ]
RUN [ -d /x ] && true
RUN --mount=type=cache,target=/root/.cache,sharing=locked,id=pip,mode=0755,uid=1,gid=2 \
    --mount=type=bind,source=.,target=/src,rw --mount=type=secret,id=s,required,env=TOKEN,target=/run/s \
    --mount=type=ssh --mount=type=tmpfs,target=/tmp,size=64m --network=none --security=sandbox --device=name=vendor/class=x \
    pip install .
COPY a b c /dest/
COPY ["with space", "/dest with space/"]
COPY --from=0 --chown=1000:1000 --chmod=u=rwX,go=rX --link --parents --exclude=*.md --exclude=**/x ./a/./b /c
COPY --link=false --parents=TRUE x y
ADD --chown=a:b --chmod=644 --link --exclude=x --checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 --keep-git-dir=true --unpack=false https://example.org/x /y
ADD git@example.org:a/b.git#main:dir /z
WORKDIR /a
WORKDIR  relative path with spaces
USER user:group
VOLUME /data /other
VOLUME ["/json", "/two"]
EXPOSE 80 443/tcp 8000-8010/udp $PORT
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=1m30s --start-period=0s --start-interval=500ms --retries=3 CMD curl -f http://x || exit 1
HEALTHCHECK CMD ["curl", "x"]
HEALTHCHECK NONE
ONBUILD RUN echo later
ONBUILD COPY --from=build ["a", "b"]
ONBUILD ENV A=1 B=2
ONBUILD   USER   x
ENTRYPOINT ["a"]
ENTRYPOINT a b
ENTRYPOINT []
CMD ["b", "c"]
CMD b   c
CMD
from scratch
cmd ["x"]
FROM Build as last
