  # indented comment
FROM \
  a \
  AS \
  b
RUN a \  
  b \	
# comment \
  c \

 \
  d
RUN a\
b
RUN ends in escaped \\
RUN "in quotes \
  goes on"
   ENV   A=1\
   B=2
RUN \
  --mount=type=cache,target=/x \
  true
COPY a \
     # c
     b
CMD last \
