# Asks the completion in the file $1, as the shell would, and prints what it
# offers; the shell takes words apart at "=".
source "$1"
compopt() { :; } # works inside a completion only

ask() {
  COMP_WORDS=(attnc "$@")
  COMP_CWORD=$#
  COMPREPLY=()
  _attnc
  echo "attnc $* -> ${COMPREPLY[*]}"
}
ask com
ask compile --max
ask compile --target = x86-64-v
ask compile --target = native,x86-64-v
ask compile --target na
ask compile --gemm =
ask compile --emit = plan
ask compile --disable-pass = fuse-qkv,p
ask compile --name = Inp
ask compile Inp
ask compile Inputs -o Inp
ask verify --threads = 2 -v Inputs/outside-m
ask verify --adapter = Inp
ask run --temperature =
ask explain A070
ask run --te
ask nonsense x
