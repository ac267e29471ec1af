/* Prints the vector of one sentence; MODEL is the library's name. */
#include <stdio.h>

#define TEXT_(text) #text
#define TEXT(text) TEXT_(text)
#define JOIN_(left, right) left##_##right
#define JOIN(left, right) JOIN_(left, right)
#define CALL(function) JOIN(MODEL, function)
#include TEXT(MODEL.h)

enum { kDimensions = 12 };

int main(void) {
  MODEL *model = NULL;
  CALL(session) *session = NULL;
  const char *sentence = "the cat sat on the mat";
  float vector[kDimensions];
  if (CALL(open)(NULL, &model) != ATTN_OK ||
      CALL(session_open)(model, &session) != ATTN_OK ||
      CALL(encode_text)(session, 1, &sentence, NULL, vector) != ATTN_OK) {
    fprintf(stderr, "%s\n", CALL(last_error)());
    return 1;
  }
  printf("vector:");
  for (int i = 0; i < kDimensions; ++i)
    printf(" %.5f", (double)vector[i]);
  printf("\n");
  CALL(session_close)(session);
  CALL(close)(model);
  return 0;
}
