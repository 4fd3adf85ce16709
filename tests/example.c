/* example.c: the library as a stranger would use it, through groklab.h alone: train an MLP and an RFM on one split and ask
 * how alike their features are. Prints TAP, because the tests run it. */
#include <groklab.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what)
{
    printf("not ok 1 - %s: %s\n1..1\n", what, gk_error_text());
    return 1;
}

int main(void)
{
    const char *const mlp[] = {"p", "13", "width", "64", "steps", "40", NULL};
    const char *const rfm[] = {"p", "13", "steps", "6", NULL};
    const char *const path = "build/example.db";
    gk_session *lab;
    int64_t a, b;
    double accuracy, *ma, *mb;
    int rows, cols;

    remove(path);
    if (gk_session_open(&lab, path) != GK_OK) return failed("open");
    if (gk_session_train(lab, "mlp", mlp, NULL, NULL, &a) != GK_OK) return failed("train mlp");
    if (gk_session_train(lab, "rfm", rfm, NULL, NULL, &b) != GK_OK) return failed("train rfm");
    if (gk_session_metric(lab, b, "train_accuracy", -1, &accuracy, NULL) != GK_OK) return failed("metric");
    if (gk_session_matrix(lab, a, "sqrt_agop", -1, &ma, &rows, &cols) != GK_OK) return failed("mlp's sqrt_agop");
    if (gk_session_matrix(lab, b, "metric", -1, &mb, &rows, &cols) != GK_OK) return failed("rfm's metric");
    const double cosine = gk_cosine(ma, mb, (size_t)rows * (size_t)cols);
    const int good = rows == 26 && cols == 26 && accuracy == 1.0 && isfinite(cosine) && cosine > 0;
    printf("%sok 1 - example: RFM fits its train cells (%.3f), cosine of the feature matrices %.3f\n1..1\n", good ? "" : "not ",
           accuracy, cosine);
    free(ma);
    free(mb);
    gk_session_close(lab);
    remove(path);
    return good ? 0 : 1;
}
