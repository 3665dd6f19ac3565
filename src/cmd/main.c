// limpet: one program, a verb first.
int main(void)
{
    return 2;
}
