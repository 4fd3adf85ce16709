/* expression.c: polynomials in x and y mod p, by recursive descent into postfix code.
 *
 *   sum     := product (('+' | '-') product)*
 *   product := sign (('*' | '/') sign)*
 *   sign    := ('-' | '+')* power
 *   power   := atom ('^' integer)?
 *   atom    := 'x' | 'y' | integer | '(' sum ')'
 */
#include "task.h"

#include "gk_number.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

typedef struct parser {
    gk_expression *out;
    const char *text, *at;
    int p;
} parser;

static int parse_sum(parser *s);

static char next(parser *s)
{
    while (isspace((unsigned char)*s->at)) s->at++;
    return *s->at;
}

static void emit(parser *s, char kind, int64_t value)
{
    s->out->code[s->out->n].kind = kind;
    s->out->code[s->out->n++].value = value;
}

static int refuse(parser *s, const char *expected)
{
    int column = (int)(s->at - s->text) + 1;
    if (!next(s))
        return gk_error(GK_USAGE, "operation \"%s\", column %d: expected %s, found the end", s->text, column, expected);
    column = (int)(s->at - s->text) + 1;
    int width = 1; /* a character of several bytes, as in x², is shown whole */
    while (((unsigned char)s->at[width] & 0xc0) == 0x80) width++;
    return gk_error(GK_USAGE, "operation \"%s\", column %d: expected %s, found \"%.*s\"", s->text, column, expected,
                    width, s->at);
}

static int parse_atom(parser *s)
{
    char c = next(s);
    if (c == 'x' || c == 'y') {
        s->at++;
        emit(s, c, 0);
    } else if (isdigit((unsigned char)c)) {
        int64_t value = 0;
        for (; isdigit((unsigned char)*s->at); s->at++) value = (value * 10 + (*s->at - '0')) % s->p;
        emit(s, 'c', value);
    } else if (c == '(') {
        s->at++;
        int code = parse_sum(s);
        if (code != GK_OK) return code;
        if (next(s) != ')') return refuse(s, "an operator or \")\"");
        s->at++;
    } else {
        return refuse(s, "x, y, an integer or \"(\"");
    }
    return GK_OK;
}

static int parse_power(parser *s)
{
    int code = parse_atom(s);
    if (code != GK_OK || next(s) != '^') return code;
    s->at++;
    if (!isdigit((unsigned char)next(s))) return refuse(s, "a non-negative integer exponent");
    int64_t exponent = 0;
    const char *start = s->at;
    for (; isdigit((unsigned char)*s->at); s->at++) {
        exponent = exponent * 10 + (*s->at - '0');
        if (exponent > INT32_MAX) {
            s->at = start;
            return refuse(s, "an exponent below 2^31");
        }
    }
    if (next(s) == '^') return refuse(s, "brackets around a power of a power");
    emit(s, '^', exponent);
    return GK_OK;
}

static int parse_sign(parser *s)
{
    bool negative = false;
    for (; next(s) == '-' || *s->at == '+'; s->at++) negative ^= *s->at == '-';
    int code = parse_power(s);
    if (code == GK_OK && negative) emit(s, 'n', 0);
    return code;
}

/* A left-associative chain of `operand`s joined by the operators a and b. */
static int parse_chain(parser *s, int (*operand)(parser *), char a, char b)
{
    int code = operand(s);
    while (code == GK_OK && (next(s) == a || *s->at == b)) {
        char kind = *s->at++;
        code = operand(s);
        if (code == GK_OK) emit(s, kind, 0);
    }
    return code;
}

static int parse_product(parser *s)
{
    return parse_chain(s, parse_sign, '*', '/');
}

static int parse_sum(parser *s)
{
    return parse_chain(s, parse_product, '+', '-');
}

int gk_expression_parse(gk_expression *e, const char *text, int p)
{
    size_t most = sizeof e->code / sizeof *e->code - 1;
    if (strlen(text) > most)
        return gk_error(GK_USAGE, "operation \"%.40s...\" has %zu characters; accepted: at most %zu", text,
                        strlen(text), most);
    e->n = 0;
    parser s = {.out = e, .text = text, .at = text, .p = p};
    int code = parse_sum(&s);
    if (code == GK_OK && next(&s)) code = refuse(&s, "an operator or the end");
    return code;
}

int32_t gk_expression_value(const gk_expression *e, int x, int y, int p, const int32_t *inverse)
{
    int64_t stack[sizeof e->code / sizeof *e->code];
    int top = -1; /* stack[top] is the value written last; a binary operator takes stack[top-1] and stack[top] */
    for (int i = 0; i < e->n; i++) {
        char kind = e->code[i].kind;
        if (strchr("+-*/", kind)) top--;
        switch (kind) {
        case 'x':
            stack[++top] = x;
            break;
        case 'y':
            stack[++top] = y;
            break;
        case 'c':
            stack[++top] = e->code[i].value;
            break;
        case 'n':
            stack[top] = (p - stack[top]) % p;
            break;
        case '^':
            stack[top] = gk_mod_power(stack[top], e->code[i].value, p);
            break;
        case '+':
            stack[top] = (stack[top] + stack[top + 1]) % p;
            break;
        case '-':
            stack[top] = (stack[top] + p - stack[top + 1]) % p;
            break;
        case '*':
            stack[top] = stack[top] * stack[top + 1] % p;
            break;
        case '/':
            if (inverse[stack[top + 1]] == 0) return -1;
            stack[top] = stack[top] * inverse[stack[top + 1]] % p;
            break;
        }
    }
    assert(top == 0);
    return (int32_t)stack[0];
}
