# escape=`
# syntax=docker/dockerfile:1.4

FROM mcr.example.org/windows AS base
COPY a.txt c:\dir\
RUN dir c:\ `
    && echo `"quoted`"
ENV A=c:\x B="a`"b" C=a` b
RUN echo \
