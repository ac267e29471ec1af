#include "compiler/tools/Commands.h"
namespace attnc::tools {
static llvm::cl::SubCommand
    command("verify", "Compare a library with the reference semantics");
Command verifyCommand() {
  return {command, "", [] { return 1; }};
}
} // namespace attnc::tools
