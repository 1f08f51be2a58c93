FROM a
RUN <<EOF
echo $HOME
# not a comment
EOF
RUN <<-EOF
	tabs go
		all of them
	EOF
RUN <<'EOF' cat > /x
$quoted
EOF
RUN <<"EOF"
#!/usr/bin/env python3
print("$x")
EOF
RUN python3 <<EOF && cat <<OTHER > /y
print(1)
EOF
two
OTHER
RUN 3<<FD cat <&3
three
FD
COPY <<one.txt <<"two.txt" /dest/
$ONE
one.txt
$TWO
two.txt
COPY --chmod=755 <<-EOF /script.sh
	#!/bin/sh
	echo $A
	EOF
ADD a <<b /c
x
b
ONBUILD COPY <<EOF /d
later
EOF
ONBUILD RUN <<EOF
later
EOF
RUN cat <<<here
RUN echo "<<NOT" '<<NOT'
RUN echo a << b
RUN it's <<EOF
RUN cat <<EOF \
  && more
x
EOF
RUN <<E"O"F
quoted in part
EOF
RUN [ "a", "<<EOF" ]
CMD cat <<NONE
RUN echo 1<<2
2
USER x
