/* Runs one entry in two sessions of one model. */
#include "attention.h"
#include <stdio.h>

int main(void) {
  attention *model = NULL;
  attention_session *sessions[2] = {NULL, NULL};
  float weights[3][3], outputs[2][3][5];
  if (attention_open(NULL, &model) != ATTN_OK)
    goto failed;
  for (int i = 0; i < 2; ++i)
    if (attention_session_open(model, &sessions[i]) != ATTN_OK ||
        attention_plain(sessions[i], &weights[0][0], &outputs[i][0][0]) !=
            ATTN_OK)
      goto failed;
  printf("%.1f and %.1f\n", (double)outputs[0][0][0], (double)outputs[1][2][0]);
  attention_session_close(sessions[0]);
  attention_session_close(sessions[1]);
  attention_close(model);
  return 0;
failed:
  fprintf(stderr, "%s\n", attention_last_error());
  return 1;
}
